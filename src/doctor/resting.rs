//! Does a node take no part because it may have forgotten locks?

use super::case::Case;
use super::finding::{Finding, Outcome, ok};
use crate::NodeCondition;
use crate::printable::whole_seconds;
use crate::protocol::Reason;

pub(super) fn check(case: &Case) -> Vec<Finding> {
    let reached = case.nodes.iter().zip(&case.facts).filter(|(_, facts)| facts.is_ok());
    let findings = reached.map(|(node, _)| {
        let outcome = match (node.condition, node.rests_for) {
            (NodeCondition::Ready, _) => ok("takes part"),
            (_, Some(rests_for)) => Outcome::Bad {
                what: format!("rests, takes part in {}", whole_seconds(rests_for)),
                risk: "it grants nothing until then",
                fix: fix(node.rests_because),
            },
            (condition, None) => Outcome::Bad {
                what: match &node.last_fault {
                    Some(fault) => format!("does not take part: {fault}"),
                    None => format!("does not take part: {condition}"),
                },
                risk: "it grants nothing",
                fix: "see what the other checks say about it",
            },
        };
        Finding { check: "resting", node: Some(node.address.clone()), outcome }
    });
    findings.collect()
}

fn fix(because: Option<Reason>) -> &'static str {
    match because {
        Some(Reason::New) => "wait; or `redfence bootstrap`, if the installation is new and no process holds a lock",
        _ => "wait: a process may still hold a lock that it forgot",
    }
}
