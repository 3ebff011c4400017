//! Are there as many nodes as make sense?

use super::{Case, Finding, Outcome, ok, whole};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    let count = case.nodes.len();
    let fix = "an odd number of nodes on machines that fail apart: five survive two failures, three survive one";
    whole(
        "count",
        match count {
            1 => Outcome::Bad {
                what: "1 node".to_owned(),
                risk: "when it is away nobody acquires, and its loss loses every lock",
                fix,
            },
            2 => Outcome::Bad {
                what: "2 nodes".to_owned(),
                risk: "both are needed, so either failure stops everybody",
                fix,
            },
            even if even % 2 == 0 => Outcome::Bad {
                what: format!("{even} nodes, an even number"),
                risk: "it survives no more failures than one node fewer, and has one more that can fail",
                fix,
            },
            odd => ok(format!("{odd} nodes, of which {} may fail", odd - case.terms.needed)),
        },
    )
}
