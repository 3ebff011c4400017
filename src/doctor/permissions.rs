//! May the user do what is needed? And the rule that lets it do that, and no more.

use super::{Case, Finding, Outcome, ok, unknown};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("permissions", |facts| match &facts.forbidden {
        Ok(forbidden) if forbidden.is_empty() => ok("every needed command"),
        Ok(forbidden) if forbidden.iter().all(|command| command == "info") => Outcome::Bad {
            what: "INFO is not permitted".to_owned(),
            risk: "a node restored from an old snapshot is not noticed, nor one server under two names; a flush is",
            mend: "+info for this user",
        },
        Ok(forbidden) if forbidden.iter().all(|command| command.starts_with("script")) => Outcome::Bad {
            what: format!("not permitted: {}", forbidden.join(", ")),
            risk: "nobody can tell whether all nodes were flushed, so a new installation rests for max_ttl first",
            mend: "+script|load and +script|exists for this user",
        },
        Ok(forbidden) => Outcome::Bad {
            what: format!("not permitted: {}", forbidden.join(", ")),
            risk: "its vote is an error",
            mend: "the rule that `redfence doctor --acl USER` prints",
        },
        Err(because) => unknown(because.clone()),
    })
}

/// The line that makes `user` able to do all that a locker with keys under `prefix` needs, and nothing else.
#[must_use]
pub fn minimal_rule(user: &str, prefix: &str) -> String {
    let commands = "+eval +evalsha +script|load +script|exists +set +get +del +incr +incrby +pexpire +pttl +hset +hmget \
                    +time +info +ping +hello +select +scan";
    format!("ACL SETUSER {user} on >PASSWORD resetkeys ~{prefix}:node ~{{{prefix}:*}}:* resetchannels -@all {commands}")
}
