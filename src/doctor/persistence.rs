//! Does a server that is declared durable keep its data?

use super::case::Case;
use super::finding::{Finding, Outcome, ok, unknown};

pub(super) fn check(case: &Case) -> Vec<Finding> {
    let durable = case.expected.durable;
    case.each("persistence", |facts| {
        if !durable {
            return ok("not declared durable: it rests after a restart");
        }
        // INFO reports the append-only file even if CONFIG is forbidden.
        let logs = facts.info("aof_enabled").map(|enabled| enabled == "1");
        match (logs, facts.config("appendfsync"), facts.info("connected_slaves")) {
            (Ok(false), ..) => bad("appendonly is no".to_owned()),
            (_, Ok(how), _) if how != "always" => bad(format!("appendfsync is {how}")),
            (_, _, Ok(replicas)) if replicas != "0" => Outcome::Bad {
                what: format!("declared durable, but {replicas} replica(s) follow it"),
                risk: "a replica that is promoted may lack the last locks; the locker trusts it if it looks like a restart",
                fix: "switch failover off for it, or do not declare it durable",
            },
            (Ok(true), Ok(_), _) => ok("appendonly yes, appendfsync always, as declared"),
            (Err(because), ..) | (_, Err(because), _) => {
                unknown(format!("declared durable, which could not be confirmed ({because})"))
            }
        }
    })
}

fn bad(what: String) -> Outcome {
    Outcome::Bad {
        what: format!("declared durable, but {what}"),
        risk: "a restart may forget the last locks; if that is not noticed, the node votes at once: two holders",
        fix: "appendonly yes and appendfsync always, or do not declare it durable",
    }
}
