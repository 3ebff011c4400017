//! Does it all work: acquire, extend, release, on a resource of the doctor's own?

use super::{Case, Finding, Outcome, ok, whole};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    whole(
        "canary",
        match &case.canary {
            Ok(took) => ok(format!("acquired, extended and released within {took:.1?}")),
            Err(what) => Outcome::Bad {
                what: what.clone(),
                risk: "nobody else can acquire either",
                mend: "see what the other checks say",
            },
        },
    )
}
