//! SQL stores in a build without them.

use super::place::Database;
use super::refusal::Refusal;
use super::term::FenceLock;
use crate::args::AdmitArgs;

/// Says how to get it.
pub(super) async fn admit(_: Database, _: &str, _: &AdmitArgs, _: bool) -> Result<Option<FenceLock>, Refusal> {
    let message = "this redfence was built without SQL stores, whose driver needs Rust 1.94: build it with \
         `cargo install --path cli --features sql`; or name a file or a Redis";
    Err(Refusal::Usage(message.to_owned()))
}
