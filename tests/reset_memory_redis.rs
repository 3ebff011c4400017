//! A reset counts what it removes and keeps no names: its memory does not grow with the number of locks. The test is
//! alone in its file, because it measures the memory of the whole process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use redfence::Resource;
use redfence::node::redis::Prefix;
use support::RedisServer;
use support::set::patiently_over;

/// The names of that many locks take more than eighty megabytes.
const LOCKS: usize = 150_000;
const NAME_LEN: usize = 500;
/// How many are written at a time, so that writing them takes little memory in the test.
const BATCH: usize = 2_000;
/// A generous bound for one step of the scan and the runtime.
const GROWTH_MAX_KB: usize = 40_000;

/// A line of `/proc/self/status`, in kilobytes.
fn memory_kb(line: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    value.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_reset_of_many_locks_keeps_no_names() {
    let servers = [RedisServer::start()];
    let name = "x".repeat(NAME_LEN - 6);
    let keys: Vec<usize> = (0..LOCKS).collect();
    for batch in keys.chunks(BATCH) {
        let lock = |number| Prefix::default().lock(&Resource::new(format!("{name}{number:06}")).unwrap());
        let words: Vec<String> = batch.iter().flat_map(|number| [lock(number), "somebody".to_owned()]).collect();
        let words: Vec<&str> = std::iter::once("MSET").chain(words.iter().map(String::as_str)).collect();
        assert_eq!(servers[0].command(&words), "OK");
    }
    let redlock = patiently_over(&servers).connect().await.unwrap();
    let before = memory_kb("VmHWM");
    let reset = redlock.admin().reset().await.unwrap();
    let grown = memory_kb("VmHWM") - before;
    assert!(grown < GROWTH_MAX_KB, "{grown} kB");
    assert!(reset.removed.iter().all(|(_, count)| *count == LOCKS), "{reset:?}");
    assert_eq!(servers[0].command(&["KEYS", "*:lock:*"]), "");
}
