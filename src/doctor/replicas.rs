//! Does a node have replicas, so that a failover could put one in its place?

use super::case::Case;
use super::finding::{Finding, Outcome, ok, unknown};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("replicas", |facts| match facts.info("connected_slaves") {
        Ok("0") => ok("none"),
        Ok(count) => Outcome::Bad {
            what: format!("{count} replica(s) follow it"),
            risk: "a replica that is promoted may lack the last locks; the node then rests for max_ttl, although it could simply be away",
            fix: "switch failover off for it: the other nodes stand in for a node that is away",
        },
        Err(because) => unknown(because),
    })
}
