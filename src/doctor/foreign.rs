//! Do other clients hold locks without a time to live? Only asked if locks have plain names.

use super::case::Case;
use super::finding::{Finding, Outcome, ok, unknown};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    let mut findings = case.each("foreign", |facts| match &facts.endless {
        None => ok(""),
        Some(Err(because)) => unknown(because.clone()),
        Some(Ok(names)) => match names.first() {
            None => ok("no lock of another client is without a time to live"),
            Some(first) => Outcome::Bad {
                what: format!("{} of other clients without a time to live, such as {first:?}", count(names.len())),
                risk: "it never ends by itself: if its program has crashed, no other program gets the lock",
                fix: "give that client a timeout; delete the key if its program has certainly ended",
            },
        },
    });
    findings.retain(|finding| !matches!(&finding.outcome, Outcome::Ok(what) if what.is_empty()));
    findings
}

fn count(locks: usize) -> String {
    if locks == 1 { "1 lock".to_owned() } else { format!("{locks} locks") }
}
