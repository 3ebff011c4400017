//! Can somebody on the network listen?

use super::{Case, Finding, Outcome, ok};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("network", |facts| match facts.is_private {
        true => ok("TLS, a socket or loopback"),
        false => Outcome::Bad {
            what: "no TLS beyond loopback".to_owned(),
            risk: "whoever listens learns passwords and holders, and can release what others hold",
            fix: "rediss://, or a network of its own",
        },
    })
}
