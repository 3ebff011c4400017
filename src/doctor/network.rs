//! Can other programs on the network read the traffic?

use super::case::Case;
use super::finding::{Finding, Outcome, ok};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("network", |facts| match facts.is_private {
        true => ok("TLS, a socket or loopback"),
        false => Outcome::Bad {
            what: "no TLS beyond loopback".to_owned(),
            risk: "an eavesdropper learns passwords and holder ids, and can release locks of others",
            fix: "rediss://, or a network of its own",
        },
    })
}
