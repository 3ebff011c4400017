//! Is the server's version recent enough?

use super::case::Case;
use super::finding::{Finding, Outcome, ok, unknown};

/// The oldest version that has every command that locks need.
const OLDEST: (u32, u32) = (6, 2);

pub(super) fn check(case: &Case) -> Vec<Finding> {
    case.each("version", |facts| {
        if let Ok(valkey) = facts.info("valkey_version") {
            return ok(format!("Valkey {valkey}"));
        }
        let version = match facts.info("redis_version") {
            Ok(version) => version,
            Err(because) => return unknown(because),
        };
        let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
        match (parts.next(), parts.next()) {
            (Some(major), Some(minor)) if (major, minor) >= OLDEST => ok(format!("Redis {version}")),
            (Some(_), Some(_)) => Outcome::Bad {
                what: format!("Redis {version}"),
                risk: "commands or their options are missing",
                fix: "Redis 6.2 or later, or Valkey",
            },
            _ => unknown(format!("the version reads {version:?}")),
        }
    })
}
