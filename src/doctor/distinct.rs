//! Is every node a separate server?

use super::case::Case;
use super::finding::{Finding, Outcome, ok, unknown};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    let run_ids: Vec<_> =
        case.facts.iter().map(|facts| facts.as_ref().ok().and_then(|facts| facts.run_id().ok())).collect();
    let nodes = case.nodes.iter().zip(&case.facts).enumerate().filter(|(_, (_, facts))| facts.is_ok());
    let findings = nodes.map(|(at, (node, _))| {
        let twin = |own| run_ids.iter().enumerate().find(|(other, id)| *other < at && **id == Some(own));
        let outcome = match run_ids.get(at).copied().flatten() {
            None => unknown("INFO is not permitted, or has no run_id"),
            Some(own) => match twin(own).and_then(|(other, _)| case.nodes.get(other)) {
                None => ok(format!("run {own:?}")),
                Some(other) => Outcome::Bad {
                    what: format!("the same server as {}", other.address),
                    risk: "one failure takes several votes away, and a quorum may be one server",
                    fix: "name each server once",
                },
            },
        };
        Finding { check: "distinct", node: Some(node.address.clone()), outcome }
    });
    findings.collect()
}
