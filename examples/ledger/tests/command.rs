//! `ledger` without arguments: starts everything, shows refusals within seconds, and leaves nothing behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ledger::Overview;
use ledger::servers::eventually;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::block_in_place;

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn one_command_shows_refusals_and_ends_what_it_has_started() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledger"));
    let mut ledger = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(ledger.stdout.take().unwrap());
    let mut url = String::new();
    block_in_place(|| lines.read_line(&mut url)).unwrap();
    let accounts = format!("{}accounts", url.trim());
    let overview = async || reqwest::get(&accounts).await.ok()?.json::<Overview>().await.ok();
    eventually(LIMIT, "a refusal is shown", async || overview().await.is_some_and(|overview| overview.refused > 0))
        .await;
    let overview = overview().await.unwrap();
    assert!(overview.fenced && overview.transfers > 0, "{overview:?}");
    assert_eq!(overview.sum, overview.expected);

    let started = descendants(ledger.id());
    assert!(started.len() > 8 || !Path::new("/proc/self/stat").exists(), "three nodes, a database, a server, writers");
    kill_process(Pid::from_child(&ledger), Signal::INT).unwrap();
    let status = block_in_place(|| ledger.wait()).unwrap();
    assert!(status.success(), "{status}");
    // Backends of the database may be on their way out.
    eventually(LIMIT, "everything has ended", async || started.iter().all(|id| parent(*id).is_none())).await;
}

/// The processes that a process has started, and those that these have started.
fn descendants(of: u32) -> BTreeSet<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten();
    let ids: Vec<u32> = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    let parents: Vec<(u32, u32)> = ids.into_iter().filter_map(|id| Some((id, parent(id)?))).collect();
    let mut found = BTreeSet::from([of]);
    while let Some((id, _)) = parents.iter().find(|(id, parent)| found.contains(parent) && !found.contains(id)) {
        found.insert(*id);
    }
    found.remove(&of);
    found
}

/// `None`: there is no such process, or it has ended.
fn parent(id: u32) -> Option<u32> {
    let stat = read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    (words.next()? != "Z").then(|| words.next()?.parse().ok()).flatten()
}
