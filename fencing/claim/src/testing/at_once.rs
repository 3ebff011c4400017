//! The rows in which clients run at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::steps::{Row, held, same, stale};
use super::{Answer, Refusal, Stage};

const THREADS: usize = 4;
const INCREMENTS: usize = 10;
const RACES: usize = 20;

fn together(work: impl Fn(usize) -> Row + Sync) -> Row {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|number| {
                let work = &work;
                scope.spawn(move || work(number))
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a thread panicked".to_owned())?)
    })
}

pub(super) fn equal(stage: &Stage<'_>) -> Row {
    let (mut one, mut other) = (held(stage, "row", 5)?, held(stage, "row", 5)?);
    same("the other's write", &other.write(1), &Ok(()))?;
    same("the one's write behind it", &one.write(2), &Err(Refusal::Retry))?;
    same("the one's claim anew", &one.again(), &Ok(()))?;
    same("what it reads", &one.read(), &Ok(Some(1)))?;
    same("its write", &one.write(3), &Ok(()))?;
    let add_one = || {
        stage.step("row", 5, |claim| {
            let value = claim.read()?.unwrap_or(0);
            claim.write(value + 1)
        })
    };
    together(|_| (0..INCREMENTS).try_for_each(|_| same("an increment", &add_one(), &Ok(()))))?;
    stage.value_is("row", i64::try_from(3 + THREADS * INCREMENTS).ok())
}

/// A write and a newer claim in the same instant: whatever the newer holder reads is what stays.
pub(super) fn two(stage: &Stage<'_>) -> Row {
    for race in 0..RACES {
        let name = format!("race {race}");
        let mut older = held(stage, &name, 5)?;
        let start = Barrier::new(2);
        let (wrote, read) = std::thread::scope(|scope| {
            let older = scope.spawn(|| {
                start.wait();
                older.write(50)
            });
            start.wait();
            let read = held(stage, &name, 6).and_then(|mut newer| {
                let read = newer.read();
                same("the newer write", &newer.write(60), &Ok(()))?;
                Ok(read)
            });
            (older.join(), read)
        });
        let wrote: Answer<()> = wrote.map_err(|_| "the other thread panicked".to_owned())?;
        let expected = if wrote.is_ok() { Ok(Some(50)) } else { Ok(None) };
        same("what the newer holder read", &read?, &expected)?;
        if wrote.is_err() {
            same("the older write", &wrote, &stale(6))?;
        }
        stage.value_is(&name, Some(60))?;
    }
    Ok(())
}

/// Reads, adds one and writes, in several threads. Each attempt has its own token, as if it had just got the lock.
pub(super) fn increments(stage: &Stage<'_>) -> Row {
    let (tokens, done) = (AtomicU64::new(1), AtomicI64::new(0));
    let add_one = || {
        stage.step("sum", tokens.fetch_add(1, Ordering::Relaxed), |claim| {
            let value = claim.read()?.unwrap_or(0);
            claim.write(value + 1)
        })
    };
    together(|_| {
        for _ in 0..INCREMENTS {
            match add_one() {
                Ok(()) => done.fetch_add(1, Ordering::Relaxed),
                Err(Refusal::Stale { .. }) => continue,
                Err(refusal) => return Err(format!("an increment: {refusal:?}")),
            };
        }
        Ok(())
    })?;
    // With four threads that overtake each other, every increment may be refused.
    match done.into_inner() {
        0 => stage.value_is("sum", None),
        done => stage.value_is("sum", Some(done)),
    }
}
