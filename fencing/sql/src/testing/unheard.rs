//! The rows in which a connection ends at the wrong moment.

use std::sync::OnceLock;

use super::steps::{Row, number, same, stale};
use super::{Refusal, Stage};

pub(super) fn crash(stage: &Stage<'_>) -> Row {
    same("an earlier write", &stage.write("row", 1, 10), &Ok(()))?;
    let (resource, nine) = (stage.resource("row")?, number(9).map_err(|refusal| format!("{refusal:?}"))?);
    for written in [false, true] {
        let mut session = stage.open(|session| session.admit(&resource, nine))?;
        if written {
            same("the write", &session.write(resource.as_str(), 90), &Ok(()))?;
        }
        session.crash();
        // Later writers are not blocked, and nothing of the crashed transaction is left.
        same("a write after the crash", &stage.write("row", 2, 20), &Ok(()))?;
        stage.highest_is("row", Some(2))?;
        stage.value_is("row", Some(20))?;
    }
    Ok(())
}

/// Returns whether the store can lose an answer.
pub(super) fn commit(stage: &Stage<'_>, arrives: bool) -> Result<bool, String> {
    same("an earlier write", &stage.write("row", 1, 10), &Ok(()))?;
    let (resource, two) = (stage.resource("row")?, number(2).map_err(|refusal| format!("{refusal:?}"))?);
    let mut session = stage.open(|session| session.admit(&resource, two))?;
    same("the write", &session.write(resource.as_str(), 20), &Ok(()))?;
    match session.commit_unheard(arrives) {
        None => return Ok(false),
        Some(Err(Refusal::Unknown(_))) => {}
        Some(answer) => return Err(format!("a commit without an answer: {answer:?} instead of unknown")),
    }
    // How to find out: admit the same token, then read the row.
    let found = stage.transact(&OnceLock::new(), |session| {
        session.admit(&resource, two)?;
        session.read(resource.as_str())
    });
    same("the value read back", &found, &Ok(Some(if arrives { 20 } else { 10 })))?;
    same("an older write after it", &stage.write("row", 1, 30), &stale(2))?;
    Ok(true)
}
