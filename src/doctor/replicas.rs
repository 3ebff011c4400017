//! Does a node replicate, so that a failover could put a replica in its place?

use super::{Case, Finding, Outcome, ok, unknown};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("replicas", |facts| match facts.info("connected_slaves") {
        Ok("0") => ok("none"),
        Ok(count) => Outcome::Bad {
            what: format!("{count} replica(s) follow it"),
            risk: "a replica that is promoted may lack the last locks; the node then rests for max_ttl, where it could be away instead",
            fix: "switch failover off for it: the other nodes are what stands in for a node",
        },
        Err(because) => unknown(because),
    })
}
