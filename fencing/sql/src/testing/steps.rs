//! The steps of all rows of the suite, and the rows in which one session follows another.

use std::sync::OnceLock;
use std::time::Duration;

use redfence::{FencingToken, Resource};

use super::{Answer, Refusal, Session, Stage};

/// How often a transaction is run again, or a condition is checked, before the suite gives up: some ten seconds.
const ATTEMPTS: usize = 2_000;

pub(super) type Row = Result<(), String>;

impl Stage<'_> {
    pub(super) fn resource(&self, name: &str) -> Result<Resource, String> {
        Resource::new(format!("{}/{name}", self.fresh)).map_err(|error| error.to_string())
    }

    /// Runs `step` in transactions until one need not be run again. `first` gets the outcome of the first one.
    pub(super) fn transact<T>(
        &self,
        first: &OnceLock<Answer<()>>,
        mut step: impl FnMut(&mut dyn Session) -> Answer<T>,
    ) -> Answer<T> {
        for _ in 0..ATTEMPTS {
            let answer = self.store.begin().and_then(|mut session| {
                let value = step(&mut *session)?;
                session.commit().map(|()| value)
            });
            let _ = first.set(answer.as_ref().map(|_| ()).map_err(Clone::clone));
            match answer {
                Err(Refusal::Retry(_)) => pause(),
                ended => return ended,
            }
        }
        Err(Refusal::Failed(format!("it was to be run again {ATTEMPTS} times")))
    }

    /// Begins a transaction with `step` and leaves it open.
    pub(super) fn open<'s>(
        &'s self,
        mut step: impl FnMut(&mut dyn Session) -> Answer<()>,
    ) -> Result<Box<dyn Session + 's>, String> {
        for _ in 0..ATTEMPTS {
            let answer = self.store.begin().and_then(|mut session| step(&mut *session).map(|()| session));
            match answer {
                Err(Refusal::Retry(_)) => pause(),
                ended => return ended.map_err(|refusal| format!("the first session: {refusal:?}")),
            }
        }
        Err(format!("the first session was to be run again {ATTEMPTS} times"))
    }

    /// Admits, writes and commits.
    pub(super) fn write(&self, name: &str, token: u64, value: i64) -> Answer<()> {
        self.write_telling(&OnceLock::new(), name, token, value)
    }

    pub(super) fn write_telling(&self, first: &OnceLock<Answer<()>>, name: &str, token: u64, value: i64) -> Answer<()> {
        let (resource, token) = (self.resource(name).map_err(Refusal::Failed)?, number(token)?);
        self.transact(first, |session| {
            session.admit(&resource, token)?;
            session.write(resource.as_str(), value)
        })
    }

    pub(super) fn update(&self, first: &OnceLock<Answer<()>>, name: &str, token: u64, value: i64) -> Answer<()> {
        let (resource, token) = (self.resource(name).map_err(Refusal::Failed)?, number(token)?);
        self.transact(first, |session| session.update(resource.as_str(), token, value))
    }

    pub(super) fn value_is(&self, name: &str, expected: Option<i64>) -> Row {
        let resource = self.resource(name)?;
        let found = self.transact(&OnceLock::new(), |session| session.read(resource.as_str()));
        same(&format!("the value of {resource}"), &found, &Ok(expected))
    }

    pub(super) fn highest_is(&self, name: &str, expected: Option<u64>) -> Row {
        let resource = self.resource(name)?;
        let found = self.transact(&OnceLock::new(), |session| session.highest(&resource));
        same(&format!("the highest token of {resource}"), &found, &expected.map(number).transpose())
    }

    /// Waits until the transaction of another thread has ended once, or waits for a lock.
    pub(super) fn wait_for(&self, first: &OnceLock<Answer<()>>) -> Row {
        for _ in 0..ATTEMPTS {
            if first.get().is_some() || self.store.another_waits() {
                return Ok(());
            }
            pause();
        }
        Err("the other transaction neither ended nor waited for a lock".to_owned())
    }
}

/// The pause between two checks of a condition.
pub(super) fn pause() {
    std::thread::park_timeout(Duration::from_millis(5));
}

pub(super) fn number(token: u64) -> Answer<FencingToken> {
    FencingToken::new(token).map_err(|error| Refusal::Failed(error.to_string()))
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &Answer<T>, expected: &Answer<T>) -> Row {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

pub(super) fn stale(highest: u64) -> Answer<()> {
    Err(number(highest).map_or_else(|refusal| refusal, |highest| Refusal::Stale { highest }))
}

fn offers(stage: &Stage<'_>, name: &str, offers: &[(u64, Answer<()>)]) -> Row {
    let mut value = 0;
    for (token, expected) in offers {
        same(&format!("a write under {token}"), &stage.write(name, *token, value + 1), expected)?;
        if expected.is_ok() {
            value += 1;
        }
        stage.value_is(name, Some(value))?;
    }
    Ok(())
}

pub(super) fn order(stage: &Stage<'_>) -> Row {
    stage.highest_is("order", None)?;
    offers(
        stage,
        "order",
        &[
            (5, Ok(())),
            (5, Ok(())),
            (4, stale(5)),
            (1, stale(5)),
            (6, Ok(())),
            (5, stale(6)),
            (6, Ok(())),
            (90, Ok(())),
        ],
    )?;
    stage.highest_is("order", Some(90))
}

pub(super) fn exact(stage: &Stage<'_>) -> Row {
    const MAX: u64 = FencingToken::MAX;
    offers(stage, "exact", &[(MAX - 1, Ok(())), (MAX, Ok(())), (MAX - 1, stale(MAX)), (MAX, Ok(()))])
}

pub(super) fn names(stage: &Stage<'_>) -> Row {
    let long = "ü".repeat((Resource::LEN_MAX - stage.fresh.len() - 1) / 2);
    let names = ["a", "A", "a ", "á", "ä", "ss", "ß", "a/%", "a/_", "'", long.as_str()];
    let tokens: Vec<(u64, &str)> = (1..).zip(names).collect();
    // The greatest token first: if a name is taken for another one, its token is stale.
    for (token, name) in tokens.iter().rev() {
        same(&format!("the first token of {name:?}"), &stage.write(name, *token, 0), &Ok(()))?;
    }
    for (token, name) in tokens {
        stage.highest_is(name, Some(token))?;
    }
    Ok(())
}

pub(super) fn outlives(stage: &Stage<'_>) -> Row {
    same("the newer write", &stage.write("row", 9, 1), &Ok(()))?;
    let (resource, nine) = (stage.resource("row")?, number(9).map_err(|refusal| format!("{refusal:?}"))?);
    let deleted = stage.transact(&OnceLock::new(), |session| {
        session.admit(&resource, nine)?;
        session.delete(resource.as_str())
    });
    same("the newer delete", &deleted, &Ok(()))?;
    same("an older write of the deleted row", &stage.write("row", 8, 2), &stale(9))?;
    stage.value_is("row", None)
}

pub(super) fn not_stored(stage: &Stage<'_>) -> Row {
    same("the newer write", &stage.write("row", 9, 1), &Ok(()))?;
    let (resource, four) = (stage.resource("row")?, number(4).map_err(|refusal| format!("{refusal:?}"))?);
    // If a caller commits after the refusal, the fence must not be lowered.
    let refused = stage.transact(&OnceLock::new(), |session| Ok(session.admit(&resource, four)));
    same("an older admission", &refused.and_then(|answer| answer), &stale(9))?;
    stage.highest_is("row", Some(9))?;
    same("a write between the two", &stage.write("row", 8, 2), &stale(9))
}

pub(super) fn nothing_behind(stage: &Stage<'_>) -> Row {
    same("the newer write", &stage.write("row", 9, 1), &Ok(()))?;
    let (row, other) = (stage.resource("row")?, stage.resource("other")?);
    let (four, nine) = (number(4), number(9));
    let (four, nine) =
        (four.map_err(|refusal| format!("{refusal:?}"))?, nine.map_err(|refusal| format!("{refusal:?}"))?);
    let batch = stage.transact(&OnceLock::new(), |session| {
        session.admit(&other, nine)?;
        session.write(other.as_str(), 1)?;
        session.admit(&row, four)?;
        session.write(row.as_str(), 2)
    });
    same("a batch that is refused in its middle", &batch, &stale(9))?;
    stage.value_is("row", Some(1))?;
    stage.value_is("other", None)?;
    stage.highest_is("other", None)
}
