//! In turn: if nothing goes wrong, a waiting client is not overtaken again and again by clients that came later. The
//! library does not promise an order among processes, only that no client starves. If the queues of the nodes agree,
//! clients are served in order, except when attempts meet. So a few overtakings show that the queues do not agree.

use super::woken::is_disturbed;
use super::{Promise, Violation, Wait, at};
use crate::history::Micros;
use crate::plan::Plan;

/// Clients that came further apart than this are not compared.
const LATER_US: Micros = 20_000;
/// How many clients may overtake one that waits.
const OVERTAKES_MAX: usize = 6;

/// Judges the waits of a run in which nothing was disturbed and every client is one task.
#[must_use]
pub fn in_turn(plan: &Plan, waits: &[Wait]) -> Option<Violation> {
    if is_disturbed(plan) || plan.clients.iter().any(|client| client.tasks > 1) {
        return None;
    }
    let overtakes = |wait: &Wait| {
        let came_later = |other: &&Wait| {
            other.served
                && other.resource == wait.resource
                && other.since_us > wait.since_us + LATER_US
                && other.until_us < wait.until_us
        };
        waits.iter().filter(came_later).count()
    };
    let (wait, count) = waits.iter().map(|wait| (wait, overtakes(wait))).find(|(_, count)| *count > OVERTAKES_MAX)?;
    let Wait { client, resource, since_us, until_us, .. } = wait;
    let since = at(*since_us);
    let description =
        format!("c{client} waited for {resource} since {since}, and {count} that came later had it before");
    Some(Violation { promise: Promise::InTurn, at_us: *until_us, description })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Section;

    #[test]
    fn a_client_that_is_overtaken_again_and_again_is_found() {
        let plan = Plan::of(3).client([Section::after(0)]);
        let wait =
            |client, since_us, until_us| Wait { client, resource: "r".to_owned(), since_us, until_us, served: true };
        let few: Vec<_> = (1..7).map(|client| wait(client, 30_000, 40_000)).chain([wait(0, 0, 50_000)]).collect();
        assert_eq!(in_turn(&plan, &few), None);
        let many = [few.clone(), vec![wait(7, 30_000, 45_000)]].concat();
        assert_eq!(in_turn(&plan, &many).map(|found| found.promise), Some(Promise::InTurn));
        let tasks = plan.client_of(2, [Section::after(0)]);
        assert_eq!(in_turn(&tasks, &many), None, "tasks share what their process has");
    }
}
