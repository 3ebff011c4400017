//! [`EndlessLocks`]: asks a server for the locks of other clients that have no time to live.

use std::time::Duration;

use redis::{Value, cmd};

use crate::Occupant;
use crate::node::redis::{Inquiry, KeyStyle, Prefix};
use crate::protocol::Fault;

/// How many keys one step visits, and how many steps there are at most.
const STEP_KEYS: u32 = 500;
const STEPS_MAX: usize = 1_000;
/// How many keys are looked at, at most.
const KEYS_MAX: usize = 1_000;
/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(1);

/// The names of foreign locks without a time to live.
pub(super) type EndlessLocks = Result<Vec<String>, String>;

/// Asks a server; `None` in the native style.
pub(super) async fn endless(inquiry: &mut Inquiry, names: &Prefix) -> Option<EndlessLocks> {
    let pattern = match names.style() {
        KeyStyle::Native => return None,
        KeyStyle::Plain { prefix, suffix } if prefix.is_empty() && suffix.is_empty() => {
            let because =
                "without a prefix a lock of another client looks like any other key; `redfence who` shows one lock";
            return Some(Err(because.to_owned()));
        }
        style => style.pattern()?,
    };
    let found = tokio::time::timeout(LIMIT, walk(inquiry, &pattern)).await;
    Some(match found {
        Ok(Ok(found)) => found,
        Ok(Err(fault)) => Err(fault.to_string()),
        Err(_) => Err(format!("the server has more keys than could be visited within {LIMIT:?}")),
    })
}

async fn walk(inquiry: &mut Inquiry, pattern: &str) -> Result<EndlessLocks, Fault> {
    let (mut cursor, mut seen, mut found) = ("0".to_owned(), 0, Vec::new());
    for _ in 0..STEPS_MAX {
        let step = cmd("SCAN").arg(&cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP_KEYS).to_owned();
        let answer = inquiry.ask(&step).await?;
        let Ok((next, keys)) = redis::from_redis_value::<(String, Vec<Vec<u8>>)>(answer) else {
            return Ok(Err("SCAN answered something else".to_owned()));
        };
        seen += keys.len();
        if seen > KEYS_MAX {
            return Ok(Err(format!("more than {KEYS_MAX} keys have names like locks")));
        }
        for key in keys {
            if inquiry.ask(cmd("PTTL").arg(&key)).await? == Value::Int(-1)
                && let Ok(Value::BulkString(value)) = inquiry.ask(cmd("GETRANGE").arg(&key).arg(0).arg(255)).await
                && Occupant::of_value(&value).is_foreign()
            {
                found.push(String::from_utf8_lossy(&key).into_owned());
            }
        }
        if next == "0" {
            found.sort_unstable();
            found.dedup();
            return Ok(Ok(found));
        }
        cursor = next;
    }
    Ok(Err("the server has more keys than the doctor visits".to_owned()))
}
