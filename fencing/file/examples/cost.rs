//! The cost of a fence in a file: fenced and unfenced writes of a file by turns.
//!
//! ```console
//! $ cargo run --release -p redfence-file --example cost
//! ```

#![allow(clippy::unwrap_used, reason = "a figure that cannot be measured ends the program")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use redfence::{FencingToken, Resource};
use redfence_file::FileFence;

const ROUNDS: u64 = 1_000;

#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn now() -> Instant {
    Instant::now()
}

fn write(path: &Path) {
    let mut file = File::create(path).unwrap();
    file.write_all(b"paid").and_then(|()| file.sync_all()).unwrap();
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e6
}

fn main() {
    let dir = tempfile::tempdir_in(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned())).unwrap();
    let (data, fence) = (dir.path().join("data"), FileFence::at(dir.path().join("fence")));
    let (resource, mut plain, mut newer, mut equal) =
        (Resource::new("orders/42").unwrap(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let token = FencingToken::new(round).unwrap();
        let start = now();
        write(&data);
        plain.push(now() - start);
        for times in [&mut newer, &mut equal] {
            let start = now();
            fence.write(&resource, token, || write(&data)).unwrap();
            times.push(now() - start);
        }
    }
    let (plain, newer, equal) = (median(plain), median(newer), median(equal));
    println!("Median of {ROUNDS} writes of a file with fsync, in turn.");
    println!(
        "unfenced {plain:.0} µs; first of a lease {newer:.0} µs ({:.2}); next {equal:.0} µs ({:.2})",
        newer / plain,
        equal / plain
    );
}
