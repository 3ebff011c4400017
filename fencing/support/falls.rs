//! What a suite must refuse.

use std::fmt::Display;

/// The suite refused `what`, and not because it does not even work.
pub fn falls<T, B: Display>(what: &str, verdict: Result<T, B>) {
    let broken = verdict.err().unwrap_or_else(|| panic!("{what} passes the suite")).to_string();
    println!("{what}: {broken}");
    let fell_over_itself = ["Failed(", "neither", "the first session"].iter().any(|word| broken.contains(word));
    assert!(!fell_over_itself, "{what} does not even work: {broken}");
}
