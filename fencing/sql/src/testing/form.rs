//! The rows about the fenced UPDATE of the user's own table.

use std::sync::OnceLock;

use super::steps::{Row, number, same, stale};
use super::{Refusal, Stage};

fn make(stage: &Stage<'_>, name: &str, value: i64) -> Row {
    let resource = stage.resource(name)?;
    let made = stage.transact(&OnceLock::new(), |session| session.write(resource.as_str(), value));
    same("a new row", &made, &Ok(()))
}

pub(super) fn order(stage: &Stage<'_>) -> Row {
    make(stage, "row", 0)?;
    let mut value = 0;
    for (token, expected) in
        [(5, Ok(())), (5, Ok(())), (4, stale(5)), (6, Ok(())), (5, stale(6)), (90, Ok(())), (89, stale(90))]
    {
        let answer = stage.update(&OnceLock::new(), "row", token, value + 1);
        same(&format!("an update under {token}"), &answer, &expected)?;
        if expected.is_ok() {
            value += 1;
        }
        stage.value_is("row", Some(value))?;
    }
    Ok(())
}

pub(super) fn missing(stage: &Stage<'_>) -> Row {
    same("an update", &stage.update(&OnceLock::new(), "row", 5, 1), &Err(Refusal::Missing))?;
    stage.value_is("row", None)
}

pub(super) fn deleted(stage: &Stage<'_>) -> Row {
    make(stage, "row", 0)?;
    same("an update", &stage.update(&OnceLock::new(), "row", 6, 1), &Ok(()))?;
    let resource = stage.resource("row")?;
    let deleted = stage.transact(&OnceLock::new(), |session| session.delete(resource.as_str()));
    same("the newer delete", &deleted, &Ok(()))?;
    same("an older update", &stage.update(&OnceLock::new(), "row", 5, 2), &Err(Refusal::Missing))?;
    stage.value_is("row", None)
}

pub(super) fn two_at_once(stage: &Stage<'_>) -> Row {
    for (name, first, second, expected, value) in
        [("older first", 5, 6, Ok(()), 600), ("newer first", 6, 5, stale(6), 600), ("equal", 6, 6, Ok(()), 600)]
    {
        make(stage, name, 0)?;
        let resource = stage.resource(name)?;
        let token = number(first).map_err(|refusal| format!("{refusal:?}"))?;
        let ended = OnceLock::new();
        let answer = std::thread::scope(|scope| {
            let own = if first == 6 && second == 5 { 600 } else { 500 };
            let session = stage.open(|session| session.update(resource.as_str(), token, own))?;
            let other = scope.spawn(|| stage.update(&ended, name, second, 600));
            stage.wait_for(&ended)?;
            same("the first commit", &session.commit(), &Ok(()))?;
            other.join().map_err(|_| "the other thread panicked".to_owned())
        })?;
        same(&format!("the second update, {name}"), &answer, &expected)?;
        stage.value_is(name, Some(value))?;
    }
    Ok(())
}
