//! The cost of a fence in a file: fenced and unfenced writes of a file by turns.
//!
//! ```console
//! $ cargo run --release -p redfence-file --example cost
//! ```

#![allow(clippy::unwrap_used, reason = "a figure that cannot be measured ends the program")]

#[path = "../../support/stopwatch.rs"]
#[expect(unreachable_pub, reason = "it is a part of the support of other members")]
mod stopwatch;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use redfence::{FencingToken, Resource};
use redfence_file::FileFence;
use stopwatch::{median, now};

const ROUNDS: u64 = 1_000;

fn write(path: &Path) {
    let mut file = File::create(path).unwrap();
    file.write_all(b"paid").and_then(|()| file.sync_all()).unwrap();
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
