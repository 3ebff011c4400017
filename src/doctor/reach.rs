//! Does every node answer, and quickly enough?

use super::{Case, Finding, Outcome, ok};

const RISK: &str = "each node that is away brings the set one failure nearer to no quorum";

pub(super) fn check(case: &Case) -> Vec<Finding> {
    let nodes = case.nodes.iter().zip(&case.facts);
    let findings = nodes.map(|(node, facts)| {
        let outcome = match facts {
            Err(fault) => Outcome::Bad {
                what: fault.to_string(),
                risk: RISK,
                fix: "start the server, or correct its address, its login or the network",
            },
            Ok(facts) => {
                let trips = facts.clock.iter().map(|sample| sample.answered.since(sample.asked));
                let quickest = trips.min().unwrap_or_default();
                match quickest < case.terms.node_timeout / 2 {
                    true => ok(format!("{quickest:.1?} there and back")),
                    false => Outcome::Bad {
                        what: format!("{quickest:.1?} there and back, and a round waits {:?}", case.terms.node_timeout),
                        risk: "rounds time out, and acquires fail without need",
                        fix: "a longer node timeout, or a nearer node",
                    },
                }
            }
        };
        Finding { check: "reach", node: Some(node.address.clone()), outcome }
    });
    findings.collect()
}
