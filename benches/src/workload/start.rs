//! How much longer `redfence run -- true` takes than `true`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use redfence::{Clock as _, SystemClock};

use super::NODES;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;
use crate::stage::Stage;
use crate::table::{Table, number};
use crate::target::Target;

pub(super) fn run(plan: &Plan) -> Outcome<Report> {
    let stage = Stage::of(NODES);
    let redfence = binary(plan)?;
    let nodes = stage.urls().join(",");
    let mut plain = Command::new("true");
    let mut locked = Command::new(redfence);
    locked.args(["run", "start", "--", "true"]).env("REDFENCE_NODES", nodes);
    milliseconds(&mut plain)?;
    milliseconds(&mut locked)?;
    let (mut plain_ms, mut locked_ms, mut beyond_ms) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.starts {
        let (plain, locked) = (milliseconds(&mut plain)?, milliseconds(&mut locked)?);
        plain_ms.push(plain);
        locked_ms.push(locked);
        beyond_ms.push(locked - plain);
    }
    let mut table = Table::new(&["command", "median ms", "longest ms"]);
    for (name, times) in [("true", &mut plain_ms), ("redfence run -- true", &mut locked_ms)] {
        let (median, longest) = median_and_longest(times);
        table.row([name.to_owned(), number(median), number(longest)]);
    }
    let (beyond, _) = median_and_longest(&mut beyond_ms);
    let targets = vec![Target::at_most("redfence run -- true, beyond true, ms", 15.0, beyond)];
    let title = format!("Start of a command, {NODES} local nodes, {} times by turns", plan.starts);
    Ok(Report { title, tables: vec![table], targets, ..Report::default() })
}

/// From before the start of the process to after its end.
fn milliseconds(command: &mut Command) -> Outcome<f64> {
    let began = SystemClock.now();
    let status = command.stdin(Stdio::null()).status()?;
    let took = SystemClock.now().since(began).as_secs_f64() * 1e3;
    if status.success() { Ok(took) } else { Err(format!("{command:?} ended with {status}").into()) }
}

fn median_and_longest(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |index: usize| times.get(index).copied().unwrap_or(f64::NAN);
    (at(times.len() / 2), at(times.len().saturating_sub(1)))
}

/// The binary `redfence` that was named, or the one beside this program.
pub(super) fn binary(plan: &Plan) -> Outcome<PathBuf> {
    plan.redfence.clone().map_or_else(beside_this_one, Ok)
}

/// Both binaries of the workspace are in one folder.
fn beside_this_one() -> Outcome<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("redfence");
    if path.is_file() {
        return Ok(path);
    }
    let built = "build it first (cargo build --release), or name it with --redfence FILE";
    Err(format!("{} is not there: {built}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_last_of_what_is_sorted() {
        assert_eq!(median_and_longest(&mut [3.0, 1.0, 2.0]), (2.0, 3.0));
        assert!(median_and_longest(&mut []).0.is_nan());
    }

    #[test]
    fn a_command_that_fails_is_no_measurement() {
        assert!(milliseconds(&mut Command::new("true")).unwrap() > 0.0);
        assert!(milliseconds(&mut Command::new("false")).unwrap_err().to_string().contains("exit status: 1"));
    }
}
