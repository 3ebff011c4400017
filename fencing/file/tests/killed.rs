//! Processes that are killed at any moment leave a fence that no older token passes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use redfence::{FencingToken, Resource};
use redfence_file::FileFence;

const KILLS: u32 = 1_000;
const RESOURCES: u64 = 3;
/// The variable that tells this program that it is the process to be killed.
const PATH: &str = "REDFENCE_TEST_KILLED";
const FIRST: &str = "REDFENCE_TEST_FIRST";

fn resource(number: u64) -> Resource {
    Resource::new(format!("orders/{number}")).unwrap()
}

fn token(number: u64) -> FencingToken {
    FencingToken::new(number).unwrap()
}

/// Not a real test: admits greater and greater tokens, and prints each one after its admission, until the process is
/// killed.
#[test]
fn the_process_to_be_killed() {
    let (Ok(path), Ok(first)) = (std::env::var(PATH), std::env::var(FIRST)) else { return };
    let fence = FileFence::at(path);
    let mut stdout = std::io::stdout().lock();
    for number in first.parse::<u64>().unwrap().. {
        fence.write(&resource(number % RESOURCES), token(number), || ()).unwrap();
        writeln!(stdout, "admitted {number}").unwrap();
        stdout.flush().unwrap();
    }
}

fn start(path: &Path, first: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_process_to_be_killed", "--nocapture", "--test-threads=1"]);
    command.env(PATH, path).env(FIRST, first.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_kill_at_any_moment_leaves_a_fence_that_no_older_token_passes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fence");
    let fence = FileFence::at(&path);
    let mut random = rand::rngs::StdRng::seed_from_u64(42);
    let mut highest = [0; RESOURCES as usize];
    let (mut admissions, mut unsaid) = (0, 0);
    for round in 0..KILLS {
        let first = highest.iter().max().unwrap() + 1;
        let mut child = start(&path, first);
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut heard = 0;
        // Now and then before it has begun, mostly while it admits.
        if round % 10 != 0 {
            let mut line = String::new();
            while !line.contains("admitted") {
                line.clear();
                assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended: {:?}", child.wait_with_output());
            }
            heard = said(&line).unwrap();
        }
        std::thread::park_timeout(Duration::from_micros(random.random_range(0..3_000)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{status:?}");
        // Every printed token was admitted; the last one, which was not printed, may be there or not.
        for line in lines.lines().map_while(Result::ok) {
            heard = said(&line).unwrap_or(heard);
        }
        for number in first..=heard {
            highest[(number % RESOURCES) as usize] = number;
            admissions += 1;
        }
        for (number, highest) in (0..).zip(&mut highest) {
            let found = fence.highest(&resource(number)).expect("a readable file").map_or(0, FencingToken::get);
            assert!(
                found == *highest || found == heard.max(first - 1) + 1,
                "round {round}: {found}, {highest} was said"
            );
            unsaid += u64::from(found > *highest);
            *highest = found;
            if let Some(older) = found.checked_sub(1).filter(|older| *older > 0) {
                let refused = fence.admit(&resource(number), token(older)).expect_err("an older token passes");
                assert_eq!(refused.stale().map(FencingToken::get), Some(found), "round {round}: {refused}");
                drop(fence.admit(&resource(number), token(found)).unwrap());
            }
        }
    }
    println!("{KILLS} kills, {admissions} admissions, {unsaid} of them not said any more");
    // Nine of ten processes printed something before they were killed.
    assert!(admissions >= u64::from(KILLS / 10 * 9), "{admissions}");
}

fn said(line: &str) -> Option<u64> {
    line.split_once("admitted ")?.1.trim().parse().ok()
}
