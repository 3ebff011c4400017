//! Does the server keep what it is declared to keep?

use super::{Case, Finding, Outcome, ok, unknown};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    let durable = case.terms.durable;
    case.each("persistence", |facts| match (durable, facts.config("appendonly"), facts.config("appendfsync")) {
        (false, ..) => ok("not declared durable: it rests after a restart"),
        (true, Ok("yes"), Ok("always")) => ok("appendonly yes, appendfsync always, as declared"),
        (true, Ok(appendonly), Ok(appendfsync)) => Outcome::Bad {
            what: format!("declared durable, but appendonly {appendonly}, appendfsync {appendfsync}"),
            risk: "a restart may forget the last locks, and the node would vote at once: two holders",
            mend: "appendonly yes and appendfsync always, or do not declare it durable",
        },
        (true, Err(because), _) | (true, _, Err(because)) => {
            unknown(format!("declared durable, which nobody could confirm ({because})"))
        }
    })
}
