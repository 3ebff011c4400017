//! The ends of keys: PTTL, PEXPIRE, PERSIST.

use super::Command;
use crate::stream::server::core::Call;
use crate::stream::server::resp::Reply;

pub(super) fn commands() -> Vec<Command> {
    vec![Command::new("pttl", 2, pttl), Command::new("pexpire", -3, pexpire), Command::new("persist", 2, persist)]
}

/// Answers for a key that is not there, and for one that has no end.
const ABSENT: i64 = -2;
const ENDLESS: i64 = -1;

fn pttl(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let key = call.word(1)?;
    let (keys, now) = call.keys()?;
    Ok(Reply::Int(match keys.get(key, now).map(|entry| entry.expires_at) {
        None => ABSENT,
        Some(None) => ENDLESS,
        Some(Some(at)) => at.saturating_sub(now).max(0),
    }))
}

fn pexpire(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let condition = Condition::read(call)?;
    let (key, ms) = (call.word(1)?, call.number(2)?);
    let invalid = || Reply::error("ERR invalid expire time in 'pexpire' command");
    let at = ms.checked_add(call.core.now_ms()).ok_or_else(invalid)?;
    let (keys, now) = call.keys()?;
    let Some(entry) = keys.get(key, now) else { return Ok(Reply::Int(0)) };
    if !condition.allows(entry.expires_at, at) {
        return Ok(Reply::Int(0));
    }
    entry.expires_at = Some(at);
    // An end in the past removes the key.
    if at <= now {
        keys.remove(key, now);
    }
    Ok(Reply::Int(1))
}

fn persist(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let key = call.word(1)?;
    let (keys, now) = call.keys()?;
    let ended = keys.get(key, now).and_then(|entry| entry.expires_at.take());
    Ok(Reply::Int(ended.is_some().into()))
}

/// The conditions under which the end may be changed.
#[derive(Default)]
struct Condition {
    if_endless: bool,
    if_ending: bool,
    if_later: bool,
    if_earlier: bool,
}

impl Condition {
    fn read(call: &Call<'_>) -> Result<Self, Reply> {
        let mut condition = Self::default();
        for at in 3..call.words.len() {
            match call.option(at).as_deref() {
                Some("NX") => condition.if_endless = true,
                Some("XX") => condition.if_ending = true,
                Some("GT") => condition.if_later = true,
                Some("LT") => condition.if_earlier = true,
                _ => {
                    let option = String::from_utf8_lossy(call.word(at)?).into_owned();
                    return Err(Reply::error(format!("ERR Unsupported option {option}")));
                }
            }
        }
        let others = condition.if_ending || condition.if_later || condition.if_earlier;
        if condition.if_endless && others {
            return Err(Reply::error("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if condition.if_later && condition.if_earlier {
            return Err(Reply::error("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    /// A key without an end ends later than all others.
    fn allows(&self, before: Option<i64>, after: i64) -> bool {
        !(self.if_endless && before.is_some()
            || self.if_ending && before.is_none()
            || self.if_later && before.is_none_or(|before| after <= before)
            || self.if_earlier && before.is_some_and(|before| after >= before))
    }
}
