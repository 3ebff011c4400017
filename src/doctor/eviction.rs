//! May the server evict locks or counters when its memory is full?

use super::case::Case;
use super::finding::{Finding, Outcome, ok, unknown};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("eviction", |facts| {
        // INFO has this even if CONFIG is forbidden, as on managed servers.
        match facts.info("maxmemory_policy").or_else(|_| facts.config("maxmemory-policy")) {
            Ok("noeviction") => ok("noeviction"),
            Ok(policy) => Outcome::Bad {
                what: format!("maxmemory-policy {policy}"),
                risk: "when memory is full a lock may be evicted while its holder believes in it: two holders",
                fix: "CONFIG SET maxmemory-policy noeviction, and a server that stores only locks",
            },
            Err(because) => unknown(because),
        }
    })
}
