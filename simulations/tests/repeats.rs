//! The same seed gives the same run, byte for byte, in two processes.

use std::path::Path;
use std::process::Command;

#[test]
fn a_hundred_seeds_leave_the_same_trace_in_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    let traces: Vec<Vec<u8>> = ["one", "two"].iter().map(|name| trace(&folder.path().join(name), "0..100")).collect();
    let lines = traces[0].iter().filter(|byte| **byte == b'\n').count();
    assert!(lines > 10_000, "only {lines} lines: these runs show nothing");
    let differs =
        traces[0].split(|byte| *byte == b'\n').zip(traces[1].split(|byte| *byte == b'\n')).find(|(a, b)| a != b);
    let differs = differs.map(|(a, b)| (String::from_utf8_lossy(a), String::from_utf8_lossy(b)));
    assert_eq!(differs, None, "the first line that differs");
    assert_eq!(traces[0].len(), traces[1].len());
}

#[test]
fn other_seeds_leave_other_traces() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (trace(&folder.path().join("one"), "0..1"), trace(&folder.path().join("two"), "1..2"));
    assert_ne!(one, other);
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn trace(file: &Path, seeds: &str) -> Vec<u8> {
    let status = Command::new(env!("CARGO_BIN_EXE_simulations"))
        .args(["run", "--profile", "many-faults", "--seeds", seeds, "--trace"])
        .arg(file)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read(file).unwrap()
}
