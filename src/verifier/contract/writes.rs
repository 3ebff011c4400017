//! The suite of stores that check and write in one step of their own.

use std::sync::Barrier;

use super::Broken;
use crate::{FencingToken, Resource};

/// Two at once, again and again: a gap between check and write is met by chance.
const ROUNDS: u64 = 40;

/// What a store says to a write.
pub type Answer<T> = Result<T, Refusal>;

/// Why a write did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A newer holder has written.
    Stale {
        /// The highest token accepted for the resource.
        highest: FencingToken,
    },
    /// There is nothing that could be changed.
    Missing,
    /// Anything else.
    Failed(String),
}

/// A store that checks and writes in one step, with one row of data for each resource. The calls block, and come from several
/// threads at once.
///
/// # Errors
///
/// Every call answers with the [`Refusal`] that the store gave.
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
pub trait FencedWrites: Sync {
    /// Sets the row's value under `token`; the row is made if there is none.
    fn write(&self, resource: &Resource, token: FencingToken, value: i64) -> Answer<()>;

    /// Changes the row under `token` in a way that needs it to be there.
    fn change(&self, resource: &Resource, token: FencingToken) -> Answer<()>;

    /// Writes these values under one token, all of them or, where it is stale, none. `None` where the store has no batches.
    fn batch(&self, resource: &Resource, token: FencingToken, values: &[i64]) -> Option<Answer<()>>;

    /// Deletes the row under `token`.
    fn delete(&self, resource: &Resource, token: FencingToken) -> Answer<()>;

    /// The row's value.
    fn read(&self, resource: &Resource) -> Answer<Option<i64>>;

    /// The highest token.
    fn highest(&self, resource: &Resource) -> Answer<Option<FencingToken>>;

    /// Whether the fence will be forgotten by itself one day.
    fn expires(&self, resource: &Resource) -> Answer<bool>;

    /// Ends everything that the store runs on at once, without a word, and starts it again. `false` where that cannot be shown.
    fn crash(&self) -> bool;
}

/// Runs the suite. `fresh` begins the names of resources, which the store must never have seen.
///
/// # Errors
///
/// [`Broken`] with the first rule that does not hold.
pub fn check_writes(store: &dyn FencedWrites, fresh: &str) -> Result<(), Broken> {
    type Row = fn(&Stage<'_>, &Resource) -> Result<(), String>;
    let rows: [(&str, Row); 11] = [
        ("a lower token is stale, an equal or greater one passes", order),
        ("tokens are exact up to the greatest", exact),
        ("resources are judged apart", apart),
        ("a refused token is not stored", not_stored),
        ("a refused batch leaves nothing behind", nothing_behind),
        ("a change of what is not there is missing", missing),
        ("a fence outlives what it guards", outlives),
        ("a fence never expires", never_expires),
        ("an older holder does not write behind a newer one", two_at_once),
        ("two tasks of one holder both pass", equal_at_once),
        ("a crash forgets no fence", crash),
    ];
    for (number, (rule, run)) in rows.into_iter().enumerate() {
        let resource = Resource::new(format!("{fresh}/{number}")).map_err(|error| Broken(error.to_string()))?;
        run(&Stage { store }, &resource).map_err(|instead| Broken(format!("{rule}: {instead}")))?;
    }
    Ok(())
}

type Row = Result<(), String>;

struct Stage<'a> {
    store: &'a dyn FencedWrites,
}

impl Stage<'_> {
    fn write(&self, resource: &Resource, token: u64, value: i64, expected: &Answer<()>) -> Row {
        same(&format!("a write under {token}"), &self.store.write(resource, number(token)?, value), expected)
    }

    fn holds(&self, resource: &Resource, value: Option<i64>, highest: u64) -> Row {
        same("the value", &self.store.read(resource), &Ok(value))?;
        same("the highest token", &self.store.highest(resource), &Ok(Some(number(highest)?)))
    }
}

fn number(token: u64) -> Result<FencingToken, String> {
    FencingToken::new(token).map_err(|error| error.to_string())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &Answer<T>, expected: &Answer<T>) -> Row {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

fn stale(highest: u64) -> Answer<()> {
    Err(number(highest).map_or_else(Refusal::Failed, |highest| Refusal::Stale { highest }))
}

fn order(stage: &Stage<'_>, row: &Resource) -> Row {
    same("the highest token of nothing", &stage.store.highest(row), &Ok(None))?;
    let mut held = (0, 0);
    for (value, (token, expected)) in (1..).zip([
        (5, Ok(())),
        (5, Ok(())),
        (4, stale(5)),
        (1, stale(5)),
        (6, Ok(())),
        (5, stale(6)),
        (6, Ok(())),
        (90, Ok(())),
        (89, stale(90)),
        (100, Ok(())),
        (90, stale(100)),
    ]) {
        stage.write(row, token, value, &expected)?;
        if expected.is_ok() {
            held = (value, token);
        }
        stage.holds(row, Some(held.0), held.1)?;
    }
    Ok(())
}

fn exact(stage: &Stage<'_>, row: &Resource) -> Row {
    const MAX: u64 = FencingToken::MAX;
    for (value, (token, expected)) in
        (1..).zip([(MAX - 1, Ok(())), (MAX, Ok(())), (MAX - 1, stale(MAX)), (MAX, Ok(()))])
    {
        stage.write(row, token, value, &expected)?;
    }
    stage.holds(row, Some(4), MAX)
}

fn apart(stage: &Stage<'_>, row: &Resource) -> Row {
    let names = ["", " ", "A", "a", "ä", "/", "'", "\\", "*"];
    let rows = names.iter().map(|name| Resource::new(format!("{row}{name}x")).map_err(|error| error.to_string()));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let tokens: Vec<_> = (1..).zip(&rows).collect();
    // The greatest first: a name that is taken for another one is stale.
    for (token, row) in tokens.iter().rev() {
        stage.write(row, *token, 0, &Ok(()))?;
    }
    for (token, row) in tokens {
        stage.holds(row, Some(0), token)?;
    }
    Ok(())
}

fn not_stored(stage: &Stage<'_>, row: &Resource) -> Row {
    stage.write(row, 9, 1, &Ok(()))?;
    stage.write(row, 4, 2, &stale(9))?;
    stage.write(row, 8, 3, &stale(9))?;
    stage.holds(row, Some(1), 9)
}

fn nothing_behind(stage: &Stage<'_>, row: &Resource) -> Row {
    stage.write(row, 9, 1, &Ok(()))?;
    if let Some(answer) = stage.store.batch(row, number(8)?, &[2, 3]) {
        same("an older batch", &answer, &stale(9))?;
        stage.holds(row, Some(1), 9)?;
    }
    if let Some(answer) = stage.store.batch(row, number(10)?, &[4, 5]) {
        same("a newer batch", &answer, &Ok(()))?;
        stage.holds(row, Some(5), 10)?;
    }
    Ok(())
}

fn missing(stage: &Stage<'_>, row: &Resource) -> Row {
    same("a change", &stage.store.change(row, number(5)?), &Err(Refusal::Missing))?;
    stage.write(row, 5, 1, &Ok(()))?;
    same("a change of what is there", &stage.store.change(row, number(5)?), &Ok(()))?;
    same("an older change", &stage.store.change(row, number(4)?), &stale(5))
}

fn outlives(stage: &Stage<'_>, row: &Resource) -> Row {
    stage.write(row, 8, 1, &Ok(()))?;
    same("an older delete", &stage.store.delete(row, number(7)?), &stale(8))?;
    same("the newer delete", &stage.store.delete(row, number(9)?), &Ok(()))?;
    stage.write(row, 8, 2, &stale(9))?;
    stage.holds(row, None, 9)?;
    same("a newer change of what was deleted", &stage.store.change(row, number(9)?), &Err(Refusal::Missing))
}

fn never_expires(stage: &Stage<'_>, row: &Resource) -> Row {
    for token in [5, 5, 6] {
        stage.write(row, token, 1, &Ok(()))?;
        same("whether it expires", &stage.store.expires(row), &Ok(false))?;
    }
    Ok(())
}

/// Gives back both answers of two writes that begin together.
fn together(stage: &Stage<'_>, row: &Resource, tokens: [u64; 2]) -> Result<[Answer<()>; 2], String> {
    let (barrier, [one, other]) = (Barrier::new(2), tokens);
    let write = |token: u64| {
        let token = number(token).map_err(Refusal::Failed)?;
        barrier.wait();
        stage.store.write(row, token, i64::try_from(token.get()).unwrap_or(i64::MAX))
    };
    std::thread::scope(|scope| {
        let second = scope.spawn(|| write(other));
        let first = write(one);
        let second = second.join().map_err(|_| "the other thread panicked".to_owned())?;
        Ok([first, second])
    })
}

fn two_at_once(stage: &Stage<'_>, row: &Resource) -> Row {
    for round in 1..=ROUNDS {
        let (older, newer) = (2 * round, 2 * round + 1);
        let turned = round % 2 == 0;
        let [one, other] = together(stage, row, if turned { [newer, older] } else { [older, newer] })?;
        let (old, new) = if turned { (other, one) } else { (one, other) };
        same("the newer write", &new, &Ok(()))?;
        if old.is_err() {
            same("the older write", &old, &stale(newer))?;
        }
        stage.holds(row, Some(i64::try_from(newer).unwrap_or_default()), newer)?;
    }
    Ok(())
}

fn equal_at_once(stage: &Stage<'_>, row: &Resource) -> Row {
    for token in 1..=ROUNDS {
        for answer in together(stage, row, [token, token])? {
            same("a write of one of two tasks", &answer, &Ok(()))?;
        }
    }
    Ok(())
}

fn crash(stage: &Stage<'_>, row: &Resource) -> Row {
    stage.write(row, 9, 1, &Ok(()))?;
    if stage.store.crash() {
        stage.write(row, 8, 2, &stale(9))?;
        stage.holds(row, Some(1), 9)?;
        stage.write(row, 9, 3, &Ok(()))?;
    }
    Ok(())
}
