//! Very many `redfence run` of one resource at one moment.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures::future::join_all;
use redfence::{Clock as _, SystemClock};
use tokio::process::{Child, Command};

use super::{NODES, start};
use crate::limits;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;
use crate::stage::Stage;
use crate::table::{Table, number};
use crate::target::Target;

/// How long a command waits for the lock, as an argument.
const WAIT: &str = "120s";
/// All must have ended by then; the others are killed.
const END_LIMIT: Duration = Duration::from_secs(150);
/// All should have ended by then.
const AIMED_AT_S: f64 = 15.0;
/// Waits until the bench closes the pipe, so that all begin at one moment, and becomes the command.
const GATE: &str = r#"read -r _; exec "$@""#;
/// Under the lock: the token goes to the end of the file.
const BODY: &str = r#"echo "$REDFENCE_TOKEN" >> "$TOKENS""#;

pub(super) async fn run(plan: &Plan) -> Outcome<Report> {
    let stage = Stage::for_herd(NODES, plan.herd_starts)?;
    limits::check_room_for(plan.herd_starts)?;
    let redfence = start::binary(plan)?;
    let folder = tempfile::tempdir()?;
    let (tokens, complaints) = (folder.path().join("tokens"), folder.path().join("complaints"));
    let (gate, opens) = std::io::pipe()?;
    let mut commands = Vec::new();
    for _ in 0..plan.herd_starts {
        let mut command = Command::new("sh");
        command.args(["-c", GATE, "sh"]).arg(&redfence).args(["run", "herd-start", "--wait", WAIT]);
        command.args(["--", "sh", "-c", BODY]).env("TOKENS", &tokens).env("REDFENCE_NODES", stage.urls().join(","));
        let said = std::fs::OpenOptions::new().create(true).append(true).open(&complaints)?;
        command.stdin(gate.try_clone()?).stdout(Stdio::null()).stderr(said);
        commands.push(command.kill_on_drop(true).spawn()?);
    }
    drop(gate);
    let began = SystemClock.now();
    drop(opens);
    let ended = join_all(commands.into_iter().map(ends_well)).await;
    let took = SystemClock.now().since(began);

    let well = ended.iter().filter(|well| **well).count();
    if well < plan.herd_starts {
        let said = std::fs::read_to_string(&complaints).unwrap_or_default();
        let last = said.lines().last().unwrap_or("nothing was said");
        eprintln!("benches: {} commands did not end well; the last word: {last}", plan.herd_starts - well);
    }
    let tokens = read_tokens(&tokens)?;
    let disorders = disorders(&tokens);
    let mut table = Table::new(&["commands", "ended with 0", "all ended in s", "tokens", "out of order"]);
    table.row([
        plan.herd_starts.to_string(),
        well.to_string(),
        number(took.as_secs_f64()),
        tokens.len().to_string(),
        disorders.to_string(),
    ]);
    let all = plan.herd_starts as f64;
    let targets = vec![
        Target::at_least("commands that ended with 0", all, well as f64),
        Target::at_most("all ended in s", AIMED_AT_S, took.as_secs_f64()),
        Target::at_least("tokens", all, tokens.len() as f64),
        Target::at_most("tokens out of order", 0.0, disorders as f64),
    ];
    let title = format!("{} × redfence run at one moment, one resource, {NODES} local nodes", plan.herd_starts);
    Ok(Report { title, tables: vec![table], targets, ..Report::default() })
}

/// Whether it ended with 0, and in time.
async fn ends_well(mut command: Child) -> bool {
    let Ok(status) = tokio::time::timeout(END_LIMIT, command.wait()).await else {
        eprintln!("benches: process {:?} did not end within {END_LIMIT:?} and is killed", command.id());
        let _ = command.kill().await;
        return false;
    };
    status.is_ok_and(|status| status.success())
}

fn read_tokens(file: &Path) -> Outcome<Vec<u64>> {
    // No process had the lock: there is no file.
    let text = if file.exists() { std::fs::read_to_string(file)? } else { String::new() };
    Ok(text.lines().map(str::parse).collect::<Result<_, _>>()?)
}

/// How many tokens are not greater than the one before.
fn disorders(tokens: &[u64]) -> usize {
    tokens.iter().zip(tokens.iter().skip(1)).filter(|(before, after)| before >= after).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_in_order_when_each_is_greater_than_the_one_before() {
        assert_eq!((disorders(&[]), disorders(&[1, 2, 9])), (0, 0));
        assert_eq!((disorders(&[1, 1, 2]), disorders(&[3, 2, 1])), (1, 2));
    }
}
