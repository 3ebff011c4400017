//! `redfence watch`: a line for every change of a resource's holder or queue.

use std::time::{Duration, UNIX_EPOCH};

use redfence::admin::Inspection;
use redfence::{Clock as _, Printable, SystemClock};
use serde::Serialize;

use super::status;
use super::who::Who;
use crate::args::{Global, WatchArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{DIM, Output};

#[derive(Serialize)]
struct Line<'a> {
    /// This machine's time, in milliseconds since 1970.
    at_ms: u64,
    #[serde(flatten)]
    who: Who<'a>,
    #[serde(flatten)]
    queue: Queue,
}

/// The processes that wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Queue {
    /// How many wait, on the node where most do.
    pub(super) waiting: u32,
    /// The label of the next one.
    pub(super) next: Option<String>,
}

impl Queue {
    pub(super) fn of(inspection: &Inspection) -> Self {
        let views = || inspection.rows.iter().filter_map(|row| row.view.as_ref().ok());
        let waiting = views().map(|view| view.waiting).max().unwrap_or_default();
        Self { waiting, next: views().find_map(|view| view.first.as_ref()).map(|first| first.label().to_owned()) }
    }
}

const YEAR_10000_MS: u64 = 253_402_300_800_000;

/// Looks again and again, and prints what has changed.
pub(crate) async fn watch(args: &WatchArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let redlock = status::reach(global).await?;
    let end = args.r#for.map(|time| SystemClock.now().after(time));
    let mut last = None;
    loop {
        let inspection = redlock.admin().inspect(&args.resource).await?;
        let (who, queue) = (Who::of(&args.resource, &inspection), Queue::of(&inspection));
        let seen = (who.agreement, who.holder.clone(), queue.clone());
        if last.as_ref() != Some(&seen) {
            let at_ms = SystemClock.wall().unix_ms();
            let human = human(at_ms, &who.human(&inspection), &queue);
            if output.result(&human, &Line { at_ms, who, queue }).is_err() {
                // The reader has what it wanted.
                return Ok(Exit::Done);
            }
            last = Some(seen);
        }
        let left = end.map(|end| end.since(SystemClock.now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Exit::Done);
        }
        tokio::time::sleep(left.map_or(args.every, |left| left.min(args.every))).await;
    }
}

fn human(at_ms: u64, who: &str, Queue { waiting, next }: &Queue) -> String {
    // Later years have no such form.
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(at_ms)).filter(|_| at_ms < YEAR_10000_MS);
    let at = at.map_or_else(|| at_ms.to_string(), |at| humantime::format_rfc3339_millis(at).to_string());
    let queue = match (waiting, next) {
        (0, _) => "; none waits".to_owned(),
        (waiting, None) => format!("; waiting: {waiting}"),
        (waiting, Some(next)) => format!("; waiting: {waiting}, next: {}", Printable(next)),
    };
    format!("{DIM}{at}{DIM:#} {who}{queue}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_time_and_the_queue() {
        let queue = |waiting, next: Option<&str>| Queue { waiting, next: next.map(str::to_owned) };
        for (at_ms, queue, expected) in [
            (0, queue(0, None), "1970-01-01T00:00:00.000Z free; none waits"),
            (1_700_000_000_123, queue(2, Some("a\nb")), "2023-11-14T22:13:20.123Z free; waiting: 2, next: a\\nb"),
            (u64::MAX, queue(1, None), "18446744073709551615 free; waiting: 1"),
        ] {
            let line = anstream::adapter::strip_str(&human(at_ms, "free", &queue)).to_string();
            assert_eq!(line, expected);
        }
    }
}
