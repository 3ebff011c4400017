//! The rows in which transactions run at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::steps::{Row, number, same, stale};
use super::{Answer, Refusal, Session, Stage};

const THREADS: usize = 4;
const INCREMENTS: usize = 10;

type First = OnceLock<Answer<()>>;

/// One session admits `first` for a resource and stays open; another thread runs `second` meanwhile; then `end` ends
/// the first one. Returns both outcomes, and whether the second had committed before the first ended.
fn meet(
    stage: &Stage<'_>,
    name: &str,
    first: u64,
    second: u64,
    end: impl FnOnce(Box<dyn Session + '_>, &str) -> Answer<()>,
) -> Result<(Answer<()>, Answer<()>, bool), String> {
    let (resource, token) = (stage.resource(name)?, number(first).map_err(|refusal| format!("{refusal:?}"))?);
    let ended = First::new();
    std::thread::scope(|scope| {
        let session = stage.open(|session| session.admit(&resource, token))?;
        let other = scope.spawn(|| stage.write_telling(&ended, name, second, 600));
        stage.wait_for(&ended)?;
        let overtook = matches!(ended.get(), Some(Ok(())));
        let first = end(session, resource.as_str());
        let second = other.join().map_err(|_| "the other thread panicked".to_owned())?;
        Ok((first, second, overtook))
    })
}

/// Runs with a fence that has seen no token yet, and with one that has: there is no row to lock yet, or there is one.
fn on_new_and_known(stage: &Stage<'_>, row: impl Fn(&str) -> Row) -> Row {
    row("new")?;
    same("an earlier write", &stage.write("known", 1, 0), &Ok(()))?;
    row("known")
}

fn write_and_commit(mut session: Box<dyn Session + '_>, id: &str) -> Answer<()> {
    session.write(id, 500)?;
    session.commit()
}

pub(super) fn older_first(stage: &Stage<'_>) -> Row {
    on_new_and_known(stage, |name| {
        let (older, newer, overtook) = meet(stage, name, 5, 6, write_and_commit)?;
        if overtook && older.is_ok() {
            return Err("a write under 5 was committed after one under 6".to_owned());
        }
        same("the newer write", &newer, &Ok(()))?;
        stage.value_is(name, Some(600))?;
        stage.highest_is(name, Some(6))
    })
}

pub(super) fn newer_first(stage: &Stage<'_>) -> Row {
    on_new_and_known(stage, |name| {
        let (newer, older, _) = meet(stage, name, 6, 5, write_and_commit)?;
        same("the newer write", &newer, &Ok(()))?;
        same("the older write that waited", &older, &stale(6))?;
        stage.value_is(name, Some(500))?;
        stage.highest_is(name, Some(6))
    })
}

/// A snapshot that is older than the newer holder's write must not replace the fence.
pub(super) fn read_first(stage: &Stage<'_>) -> Row {
    same("an earlier write", &stage.write("row", 1, 0), &Ok(()))?;
    let (row, five) = (stage.resource("row")?, number(5).map_err(|refusal| format!("{refusal:?}"))?);
    let ended = First::new();
    let newer = std::thread::scope(|scope| {
        let mut session = stage.open(|session| session.read(row.as_str()).map(|_| ()))?;
        let newer = scope.spawn(|| stage.write_telling(&ended, "row", 6, 600));
        stage.wait_for(&ended)?;
        // If a reader blocks writers, the newer holder has not written yet.
        if matches!(ended.get(), Some(Ok(()))) && session.admit(&row, five).is_ok() {
            return Err("5 was admitted after a write under 6".to_owned());
        }
        drop(session);
        newer.join().map_err(|_| "the other thread panicked".to_owned())
    })?;
    same("the newer write", &newer, &Ok(()))?;
    same("the older write", &stage.write("row", 5, 500), &stale(6))?;
    stage.value_is("row", Some(600))
}

pub(super) fn rolled_back(stage: &Stage<'_>) -> Row {
    on_new_and_known(stage, |name| {
        let (_, older, _) = meet(stage, name, 6, 5, |session, _| {
            drop(session);
            Ok(())
        })?;
        same("the older write after the rollback", &older, &Ok(()))?;
        stage.highest_is(name, Some(5))
    })
}

pub(super) fn equal(stage: &Stage<'_>) -> Row {
    on_new_and_known(stage, |name| {
        let (one, other, _) = meet(stage, name, 5, 5, write_and_commit)?;
        same("the one write", &one, &Ok(()))?;
        same("the other write", &other, &Ok(()))?;
        stage.value_is(name, Some(600))
    })
}

pub(super) fn deadlock(stage: &Stage<'_>) -> Row {
    let (a, b) = (stage.resource("a")?, stage.resource("b")?);
    let five = number(5).map_err(|refusal| format!("{refusal:?}"))?;
    let both = |first: &First, order: [&redfence::Resource; 2]| {
        stage.transact(first, |session| order.into_iter().try_for_each(|resource| session.admit(resource, five)))
    };
    let ended = First::new();
    let (one, other) = std::thread::scope(|scope| {
        let mut session = stage.open(|session| session.admit(&a, five))?;
        let other = scope.spawn(|| both(&ended, [&b, &a]));
        stage.wait_for(&ended)?;
        let one = session.admit(&b, five).and_then(|()| session.commit());
        let one = if matches!(one, Err(Refusal::Retry(_))) { both(&First::new(), [&a, &b]) } else { one };
        let other = other.join().map_err(|_| "the other thread panicked".to_owned())?;
        Ok::<_, String>((one, other))
    })?;
    same("the one transaction", &one, &Ok(()))?;
    same("the other transaction", &other, &Ok(()))
}

/// Reads, adds one and writes, in several threads. Each attempt has its own token, as if it had just got the lock.
pub(super) fn increments(stage: &Stage<'_>) -> Row {
    let (resource, tokens, done) = (stage.resource("sum")?, AtomicU64::new(1), AtomicI64::new(0));
    let add_one = || {
        let token = number(tokens.fetch_add(1, Ordering::Relaxed))?;
        stage.transact(&First::new(), |session| {
            session.admit(&resource, token)?;
            let sum = session.read(resource.as_str())?.unwrap_or(0);
            session.write(resource.as_str(), sum + 1)
        })
    };
    let worker = || {
        for _ in 0..INCREMENTS {
            match add_one() {
                Ok(()) => done.fetch_add(1, Ordering::Relaxed),
                Err(Refusal::Stale { .. }) => continue,
                Err(refusal) => return Err(format!("an increment: {refusal:?}")),
            };
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a thread panicked".to_owned())?)
    })?;
    stage.value_is("sum", Some(done.into_inner()))
}
