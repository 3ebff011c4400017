//! Keys that hold members in the order of their scores: ZADD, ZREM, ZPOPMIN, ZCARD, ZSCORE, ZRANK, ZRANGE by index.

use std::ops::Range;

use bytes::Bytes;

use super::{Command, syntax_error};
use crate::stream::server::core::{Call, WRONG_TYPE};
use crate::stream::server::double;
use crate::stream::server::resp::{Reply, integer};
use crate::stream::server::sorted_set::{Member, SortedSet};
use crate::stream::server::store::Value;

pub(super) fn commands() -> Vec<Command> {
    vec![
        Command::new("zadd", -4, zadd),
        Command::new("zrem", -3, zrem),
        Command::new("zpopmin", -2, zpopmin),
        Command::new("zcard", 2, zcard),
        Command::new("zscore", 3, zscore),
        Command::new("zrank", 3, zrank),
        Command::new("zrange", -4, zrange),
    ]
}

fn zadd(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let (options, first) = AddOptions::read(call);
    let (pairs, rest) = call.words.get(first..).unwrap_or_default().as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(syntax_error());
    }
    options.check(pairs.len())?;
    let read = |[score, name]: &'_ [Bytes; 2]| double::parse(score).map(|score| (score, name.clone()));
    let scored: Option<Vec<(f64, Bytes)>> = pairs.iter().map(read).collect();
    let scored = scored.ok_or_else(|| Reply::error("ERR value is not a valid float"))?;
    if set(call)?.is_none() && !options.only_if_present {
        let key = call.word(1)?;
        let (keys, _) = call.keys()?;
        keys.set(key, Value::SortedSet(SortedSet::default()), None);
    }
    let (mut added, mut changed, mut last) = (0, 0, None);
    if let Some(set) = set(call)? {
        for (given, name) in &scored {
            let before = set.score(name);
            last = options.score(before, *given)?;
            match (before, last) {
                (None, Some(score)) => {
                    set.put(name, score);
                    added += 1;
                }
                (Some(before), Some(score)) if before != score => {
                    set.put(name, score);
                    changed += 1;
                }
                _ => {}
            }
        }
    }
    match options {
        AddOptions { adds_up: true, .. } => Ok(last.map_or(Reply::Null, Reply::Double)),
        AddOptions { counts_changes: true, .. } => Ok(Reply::Int(added + changed)),
        _ => Ok(Reply::Int(added)),
    }
}

/// The options of ZADD.
#[derive(Default)]
struct AddOptions {
    only_if_absent: bool,
    only_if_present: bool,
    only_if_greater: bool,
    only_if_less: bool,
    counts_changes: bool,
    adds_up: bool,
}

impl AddOptions {
    /// The options, and where the first score is.
    fn read(call: &Call<'_>) -> (Self, usize) {
        let mut options = Self::default();
        let mut at = 2;
        loop {
            match call.option(at).as_deref() {
                Some("NX") => options.only_if_absent = true,
                Some("XX") => options.only_if_present = true,
                Some("GT") => options.only_if_greater = true,
                Some("LT") => options.only_if_less = true,
                Some("CH") => options.counts_changes = true,
                Some("INCR") => options.adds_up = true,
                _ => return (options, at),
            }
            at += 1;
        }
    }

    fn check(&self, pairs: usize) -> Result<(), Reply> {
        if self.only_if_absent && self.only_if_present {
            return Err(Reply::error("ERR XX and NX options at the same time are not compatible"));
        }
        let exclusive = [self.only_if_absent, self.only_if_greater, self.only_if_less];
        if exclusive.into_iter().filter(|given| *given).count() > 1 {
            return Err(Reply::error("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.adds_up && pairs > 1 {
            return Err(Reply::error("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// The new score of a member, unless an option forbids the change.
    fn score(&self, before: Option<f64>, given: f64) -> Result<Option<f64>, Reply> {
        let Some(before) = before else { return Ok((!self.only_if_present).then_some(given)) };
        if self.only_if_absent {
            return Ok(None);
        }
        let score = if self.adds_up { before + given } else { given };
        if score.is_nan() {
            return Err(Reply::error("ERR resulting score is not a number (NaN)"));
        }
        let hindered = self.only_if_greater && score <= before || self.only_if_less && score >= before;
        Ok((!hindered).then_some(score))
    }
}

fn zrem(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let names = call.words.get(2..).unwrap_or_default();
    let Some(set) = set(call)? else { return Ok(Reply::Int(0)) };
    let removed = names.iter().filter(|name| set.remove(name)).count();
    remove_empty(call)?;
    Ok(Reply::counted(removed))
}

fn zpopmin(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let negative = || Reply::error("ERR value is out of range, must be positive");
    let count = match call.words {
        [_, _] => None,
        [_, _, count] => Some(integer(count).and_then(|count| usize::try_from(count).ok()).ok_or_else(negative)?),
        _ => return Err(syntax_error()),
    };
    let Some(set) = set(call)? else { return Ok(Reply::Array(Vec::new())) };
    let taken = set.take_first(count.unwrap_or(1));
    remove_empty(call)?;
    // RESP3 has arrays of two only where a count was given.
    Ok(if count.is_some() { scored(&taken) } else { Reply::Array(taken.iter().flat_map(name_and_score).collect()) })
}

fn zcard(call: &mut Call<'_>) -> Result<Reply, Reply> {
    Ok(Reply::counted(set(call)?.map_or(0, |set| set.len())))
}

fn zscore(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let name = call.word(2)?;
    Ok(set(call)?.and_then(|set| set.score(name)).map_or(Reply::Null, Reply::Double))
}

fn zrank(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let name = call.word(2)?;
    Ok(set(call)?.and_then(|set| set.rank(name)).map_or(Reply::Null, Reply::counted))
}

fn zrange(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let with_scores = call.words.len() > 4;
    if (4..call.words.len()).any(|at| call.option(at).as_deref() != Some("WITHSCORES")) {
        return Err(syntax_error());
    }
    let (start, stop) = (call.number(2)?, call.number(3)?);
    let Some(set) = set(call)? else { return Ok(Reply::Array(Vec::new())) };
    let found = set.range(places(start, stop, set.len()));
    if with_scores {
        return Ok(scored(found));
    }
    Ok(Reply::Array(found.iter().map(|member| Reply::Bulk(member.name.clone())).collect()))
}

/// The places from `start` to `stop`, both among them; negative ones count from the end.
fn places(start: i64, stop: i64, len: usize) -> Range<usize> {
    let from_front = |place: i64| {
        let place = if place < 0 { place.saturating_add(i64::try_from(len).unwrap_or(i64::MAX)) } else { place };
        usize::try_from(place).ok()
    };
    let end = from_front(stop).map_or(0, |last| last.saturating_add(1).min(len));
    from_front(start).unwrap_or(0)..end
}

/// The sorted set that the first argument names; `None` where there is no such key.
fn set<'a>(call: &'a mut Call<'_>) -> Result<Option<&'a mut SortedSet>, Reply> {
    let key = call.word(1)?;
    let (keys, now) = call.keys()?;
    match keys.get(key, now).map(|entry| &mut entry.value) {
        None => Ok(None),
        Some(Value::SortedSet(set)) => Ok(Some(set)),
        Some(_) => Err(Reply::error(WRONG_TYPE)),
    }
}

/// A set without members is no key.
fn remove_empty(call: &mut Call<'_>) -> Result<(), Reply> {
    if set(call)?.is_some_and(|set| set.len() == 0) {
        let key = call.word(1)?;
        let (keys, now) = call.keys()?;
        keys.remove(key, now);
    }
    Ok(())
}

fn scored(members: &[Member]) -> Reply {
    Reply::Pairs(members.iter().map(|member| name_and_score(member).into()).collect())
}

fn name_and_score(member: &Member) -> [Reply; 2] {
    [Reply::Bulk(member.name.clone()), Reply::Double(member.score)]
}
