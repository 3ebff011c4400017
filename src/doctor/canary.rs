//! Does everything work: acquire, extend and release, on a resource of the doctor's own?

use super::case::{Case, Cause};
use super::finding::{Finding, Outcome, ok, unknown, whole};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    whole(
        "canary",
        match &case.canary {
            Ok(took) => ok(format!("acquired, extended and released within {took:.1?}")),
            Err(failure) if failure.cause == Cause::Contended => {
                unknown("another doctor examines these nodes at this moment")
            }
            Err(failure) => Outcome::Bad {
                what: failure.what.clone(),
                risk: "other processes cannot acquire either",
                fix: "see what the other checks say",
            },
        },
    )
}
