//! Does every node answer, and quickly enough?

use super::case::Case;
use super::finding::{Finding, Outcome, ok};
use crate::FaultKind;

const RISK: &str = "each node that is away brings the set one failure nearer to no quorum";

pub(super) fn check(case: &Case) -> Vec<Finding> {
    let nodes = case.nodes.iter().zip(&case.facts);
    let findings = nodes.map(|(node, facts)| {
        let outcome = match facts {
            Err(fault) => Outcome::Bad { what: fault.to_string(), risk: RISK, fix: fix(fault.kind) },
            Ok(facts) => {
                let trips = facts.clock.iter().map(|sample| sample.answered.since(sample.asked));
                let quickest = trips.min().unwrap_or_default();
                match quickest < case.expected.node_timeout / 2 {
                    true => ok(format!("{quickest:.1?} there and back")),
                    false => Outcome::Bad {
                        what: format!(
                            "{quickest:.1?} there and back, and a round waits {:?}",
                            case.expected.node_timeout
                        ),
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

const fn fix(fault: FaultKind) -> &'static str {
    match fault {
        FaultKind::Authentication => "give the user and the password of the server in its URL",
        FaultKind::LoginRefused => {
            "if the server has too many clients, raise its maxclients or close connections that no program uses; if it \
             has no such database, name another in its URL"
        }
        FaultKind::Loading => "wait until the server has loaded its data",
        FaultKind::TimedOut => {
            "look whether the server or the network is stopped or overloaded, or give a longer node timeout"
        }
        _ => "start the server, or correct its address, its login or the network",
    }
}
