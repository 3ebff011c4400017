//! The steps of all rows of the suite, and the rows in which one step follows another.

use redfence::{FencingToken, Resource};

use super::{Answer, Claimed, Refusal, Stage};

/// How often a claim is made again before the suite gives up.
const ATTEMPTS: usize = 10_000;

pub(super) type Row = Result<(), String>;

impl<'a> Stage<'a> {
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.fresh)
    }

    pub(super) fn claim(&self, name: &str, token: u64) -> Answer<Box<dyn Claimed + 'a>> {
        self.store.claim(&self.name(name), number(token)?)
    }

    /// Claims and runs `step`, again as long as another task with the same token comes between.
    pub(super) fn step<T>(
        &self,
        name: &str,
        token: u64,
        mut step: impl FnMut(&mut dyn Claimed) -> Answer<T>,
    ) -> Answer<T> {
        for _ in 0..ATTEMPTS {
            match self.claim(name, token).and_then(|mut claim| step(&mut *claim)) {
                Err(Refusal::Retry) => std::thread::yield_now(),
                ended => return ended,
            }
        }
        Err(Refusal::Failed(format!("it was to be claimed again {ATTEMPTS} times")))
    }

    pub(super) fn write(&self, name: &str, token: u64, value: i64) -> Answer<()> {
        self.step(name, token, |claim| claim.write(value))
    }

    pub(super) fn value_is(&self, name: &str, expected: Option<i64>) -> Row {
        same(&format!("the value of {name}"), &self.store.read(&self.name(name)), &Ok(expected))
    }

    pub(super) fn highest_is(&self, name: &str, expected: Option<u64>) -> Row {
        let found = self.store.highest(&self.name(name));
        same(&format!("the highest token of {name}"), &found, &expected.map(number).transpose())
    }
}

pub(super) fn number(token: u64) -> Answer<FencingToken> {
    FencingToken::new(token).map_err(|error| Refusal::Failed(error.to_string()))
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &Answer<T>, expected: &Answer<T>) -> Row {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

pub(super) fn stale<T>(highest: u64) -> Answer<T> {
    Err(number(highest).map_or_else(|refusal| refusal, |highest| Refusal::Stale { highest }))
}

/// A claim that the row needs.
pub(super) fn held<'a>(stage: &Stage<'a>, name: &str, token: u64) -> Result<Box<dyn Claimed + 'a>, String> {
    stage.claim(name, token).map_err(|refusal| format!("a claim by {token}: {refusal:?}"))
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
    stage.value_is("order", None)?;
    let tokens = [5, 5, 4, 1, 6, 5, 6, 90, 89, 90];
    let mut highest = 0;
    let table = tokens.map(|token| {
        highest = highest.max(token);
        (token, if token == highest { Ok(()) } else { stale(highest) })
    });
    offers(stage, "order", &table)?;
    stage.highest_is("order", Some(90))
}

pub(super) fn exact(stage: &Stage<'_>) -> Row {
    const MAX: u64 = FencingToken::MAX;
    offers(stage, "exact", &[(MAX - 1, Ok(())), (MAX, Ok(())), (MAX - 1, stale(MAX)), (MAX, Ok(()))])
}

pub(super) fn names(stage: &Stage<'_>) -> Row {
    let long = "ü".repeat((Resource::LEN_MAX - stage.fresh.len() - 1) / 2);
    let names = ["a", "A", "a ", "á", "ss", "ß", "a%", "a_", "'", "a%2Fb", long.as_str()];
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

pub(super) fn overtaken(stage: &Stage<'_>) -> Row {
    let mut older = held(stage, "row", 5)?;
    same("the older write", &older.write(1), &Ok(()))?;
    same("the newer write", &stage.write("row", 6, 2), &Ok(()))?;
    same("an older write after it", &older.write(3), &stale(6))?;
    same("and another", &older.write(4), &stale(6))?;
    same("an older claim anew", &older.again(), &stale(6))?;
    stage.value_is("row", Some(2))
}

pub(super) fn before_the_read(stage: &Stage<'_>) -> Row {
    same("an earlier write", &stage.write("row", 1, 10), &Ok(()))?;
    let mut older = held(stage, "row", 5)?;
    let mut newer = held(stage, "row", 6)?;
    same("the newer read", &newer.read(), &Ok(Some(10)))?;
    same("an older write after it", &older.write(50), &stale(6))?;
    same("an older claim after it", &stage.write("row", 5, 50), &stale(6))?;
    same("the newer read again", &newer.read(), &Ok(Some(10)))?;
    same("the newer write", &newer.write(11), &Ok(()))?;
    same("the newer read of its own write", &newer.read(), &Ok(Some(11)))?;
    same("a second newer write", &newer.write(12), &Ok(()))?;
    stage.value_is("row", Some(12))
}

pub(super) fn not_stored(stage: &Stage<'_>) -> Row {
    same("the newer write", &stage.write("row", 9, 1), &Ok(()))?;
    same("an older claim", &stage.claim("row", 4).map(|_| ()), &stale(9))?;
    stage.highest_is("row", Some(9))?;
    same("a write between the two", &stage.write("row", 8, 2), &stale(9))?;
    stage.value_is("row", Some(1))
}

pub(super) fn nothing_behind(stage: &Stage<'_>) -> Row {
    let parts = |expected| same("the parts", &stage.store.parts(&stage.name("row")), &Ok(expected));
    let mut older = held(stage, "row", 5)?;
    same("a batch", &older.write_batch(1), &Ok(()))?;
    parts(1)?;
    let mut newer = held(stage, "row", 6)?;
    same("an older batch", &older.write_batch(2), &stale(6))?;
    parts(1)?;
    stage.value_is("row", Some(1))?;
    same("a newer batch", &newer.write_batch(3), &Ok(()))?;
    parts(2)?;
    stage.value_is("row", Some(3))
}

pub(super) fn deleted(stage: &Stage<'_>) -> Row {
    let mut older = held(stage, "row", 8)?;
    same("the older write", &older.write(1), &Ok(()))?;
    same("the newer delete", &stage.step("row", 9, |claim| claim.delete()), &Ok(()))?;
    stage.value_is("row", None)?;
    same("an older write of the deleted value", &older.write(2), &stale(9))?;
    same("an older claim of the deleted value", &stage.write("row", 8, 2), &stale(9))?;
    stage.value_is("row", None)?;
    stage.highest_is("row", Some(9))?;
    same("a write of the holder that deleted", &stage.write("row", 9, 3), &Ok(()))?;
    stage.value_is("row", Some(3))
}

pub(super) fn missing(stage: &Stage<'_>) -> Row {
    let mut claim = held(stage, "row", 5)?;
    same("a write", &claim.write(1), &Ok(()))?;
    let removed = stage.store.remove_fence(&stage.name("row"));
    same("the removal of the fence", &removed, &Ok(()))?;
    same("a write without a fence", &claim.write(2), &Err(Refusal::Missing))?;
    same("a batch without a fence", &claim.write_batch(2), &Err(Refusal::Missing))?;
    stage.highest_is("row", None)?;
    match stage.store.read(&stage.name("row")) {
        Ok(None | Some(1)) => Ok(()),
        found => Err(format!("the value after refused writes: {found:?}")),
    }
}

pub(super) fn lost(stage: &Stage<'_>) -> Row {
    let mut claim = held(stage, "row", 5)?;
    same("a write", &claim.write(1), &Ok(()))?;
    same("the removal of the fence", &stage.store.remove_fence(&stage.name("row")), &Ok(()))?;
    same("a lower token's write", &stage.write("row", 3, 3), &Ok(()))?;
    let lost = number(3).and_then(|found| Err(Refusal::Lost { found }));
    same("a write on a fence that went back", &claim.write(2), &lost)?;
    stage.value_is("row", Some(3))
}

pub(super) fn crash(stage: &Stage<'_>) -> Row {
    same("an earlier write", &stage.write("row", 1, 10), &Ok(()))?;
    held(stage, "row", 5)?.crash();
    stage.value_is("row", Some(10))?;
    same("an older write after the crash", &stage.write("row", 4, 40), &stale(5))?;
    // The crashed holder returns with its token, or its successor comes with the next.
    same("a write under the same token", &stage.write("row", 5, 50), &Ok(()))?;
    held(stage, "row", 6)?.crash();
    same("a write of the successor", &stage.write("row", 7, 70), &Ok(()))?;
    stage.value_is("row", Some(70))
}
