//! Is every node an independent master?

use super::case::Case;
use super::finding::{Finding, Outcome, ok, unknown};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("role", |facts| {
        let (mode, role, cluster) = (facts.info("redis_mode"), facts.info("role"), facts.info("cluster_enabled"));
        let bad = |what: &str, fix| Outcome::Bad {
            what: what.to_owned(),
            risk: "it takes no writes of its own, or shares them with others: its vote is not independent, or not there",
            fix,
        };
        match (mode, role, cluster) {
            (Ok("sentinel"), ..) => bad("a sentinel", "name the server itself, not its sentinel"),
            (Ok("cluster"), ..) | (.., Ok("1")) => bad("a member of a cluster", "name independent servers"),
            (_, Ok("slave" | "replica"), _) => bad("a read-only replica", "name a master without replicas"),
            (_, Ok(role), _) => ok(role),
            (_, Err(because), _) => unknown(because),
        }
    })
}
