//! May the user run every needed command? Also prints the ACL rule that allows those commands only.

use super::case::Case;
use super::finding::{Finding, Outcome, ok, unknown};
use crate::node::redis::Prefix;

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("permissions", |facts| match &facts.forbidden {
        Ok(forbidden) if forbidden.is_empty() => ok("every needed command"),
        Ok(forbidden) if forbidden.iter().all(|command| command == "info") => Outcome::Bad {
            what: "INFO is not permitted".to_owned(),
            risk: "a node restored from an old snapshot is not noticed, nor one server under two names; a flush is",
            fix: "+info for this user",
        },
        Ok(forbidden) if forbidden.iter().all(|command| command.starts_with("script")) => Outcome::Bad {
            what: format!("not permitted: {}", forbidden.join(", ")),
            risk: "a flush of all nodes at one moment cannot be told from a first start: this user lets a new installation \
                   rest for max_ttl, and one who is permitted more takes flushed nodes for new ones",
            fix: "+script|load and +script|exists for this user",
        },
        Ok(forbidden) if forbidden.iter().all(|command| FOR_WAITING.contains(&&**command)) => Outcome::Bad {
            what: format!("not permitted: {}", forbidden.join(", ")),
            risk: "processes that wait are not woken: they ask again after pauses, in no order; leases stay safe",
            fix: "the rule that `redfence doctor --acl USER` prints",
        },
        Ok(forbidden) => Outcome::Bad {
            what: format!("not permitted: {}", forbidden.join(", ")),
            risk: "its vote is an error",
            fix: "the rule that `redfence doctor --acl USER` prints",
        },
        Err(because) => unknown(because.clone()),
    })
}

/// Commands that only waiting needs.
const FOR_WAITING: [&str; 8] = ["publish", "subscribe", "zadd", "zrem", "zrank", "zcard", "zpopmin", "zrange"];

/// The ACL rule that allows `user` all that a locker with keys of `names` needs, and nothing else.
#[must_use]
pub fn minimal_rule(user: &str, names: &Prefix) -> String {
    let prefix = names.as_str();
    let commands = "+eval +evalsha +script|load +script|exists +set +getrange +mset +mget +del +incr +incrby +pexpire +pttl +hset +hmget \
                    +zadd +zrem +zrank +zcard +zpopmin +zrange +time +info +ping +hello +select +scan +publish +subscribe";
    let locks = match names.style().pattern() {
        Some(pattern) => format!(" ~{pattern}"),
        None => String::new(),
    };
    let keys = format!("resetkeys ~{prefix}:node ~{{{prefix}:*}}:*{locks} resetchannels &{prefix}:wake:*");
    format!("ACL SETUSER {user} on >PASSWORD {keys} -@all {commands}")
}
