//! Does the number of nodes make sense?

use super::case::Case;
use super::finding::{Finding, Outcome, ok, whole};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    let count = case.nodes.len();
    let fix = "an odd number of nodes on machines that fail apart: five survive two failures, three survive one";
    whole(
        "count",
        match count {
            1 => Outcome::Bad {
                what: "1 node".to_owned(),
                risk: "while it is away no process can acquire, and its loss loses every lock",
                fix,
            },
            2 => Outcome::Bad {
                what: "2 nodes".to_owned(),
                risk: "both are needed, so one failure stops every process",
                fix,
            },
            even if even % 2 == 0 => Outcome::Bad {
                what: format!("{even} nodes, an even number"),
                risk: "it survives no more failures than a set with one node fewer, and has one more node that can fail",
                fix,
            },
            odd => ok(format!("{odd} nodes, of which {} may fail", odd - case.expected.needed)),
        },
    )
}
