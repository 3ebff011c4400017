//! The Rust blocks of the guides in docs/migration/, as functions that a test runs.

use std::error::Error;

/// How a block ended.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Runs every block, one after the other; `urls` are the servers `a`, `b` and `c`.
///
/// # Errors
///
/// The first block that fails, with its page and line.
pub async fn run(urls: &[String; 3]) -> Outcome {
    guides::run_all(urls).await
}

#[allow(
    clippy::all,
    clippy::indexing_slicing,
    unused,
    reason = "blocks show one call each, and leave out what surrounds it"
)]
mod guides {
    use super::{Outcome, ended};

    include!(concat!(env!("OUT_DIR"), "/guides.rs"));
}

/// Names the block that failed.
fn ended(place: &str, is_after: bool, outcome: Outcome) -> Outcome {
    let when = if is_after { "after" } else { "before" };
    outcome.map_err(|error| format!("docs/migration/{place} ({when}): {error}").into())
}
