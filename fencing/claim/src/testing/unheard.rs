//! The rows in which an answer is lost.

use super::steps::{Row, held, same, stale};
use super::{Delivery, Refusal, Stage};

/// Returns whether the store can show that delivery.
pub(super) fn write(stage: &Stage<'_>, delivery: Delivery) -> Result<bool, String> {
    let mut claim = held(stage, "row", 2)?;
    same("an earlier write", &claim.write(10), &Ok(()))?;
    match (claim.write_unheard(20, delivery), delivery) {
        (None, _) => return Ok(false),
        (Some(Ok(())), Delivery::Twice) => {}
        (Some(Err(Refusal::Unknown(_))), Delivery::Never | Delivery::Now | Delivery::Late) => {
            same("a claim anew", &claim.again(), &Ok(()))?;
            if delivery == Delivery::Late {
                claim.deliver();
            }
        }
        (Some(answer), _) => return Err(format!("a write of delivery {delivery:?}: {answer:?}")),
    }
    let there = if matches!(delivery, Delivery::Now | Delivery::Twice) { 20 } else { 10 };
    same("the value read back", &claim.read(), &Ok(Some(there)))?;
    stage.value_is("row", Some(there))?;
    same("an older claim", &stage.write("row", 1, 90), &stale(2))?;
    after(stage, &mut *claim)?;
    Ok(true)
}

fn after(stage: &Stage<'_>, claim: &mut dyn super::Claimed) -> Row {
    same("the next write", &claim.write(30), &Ok(()))?;
    stage.value_is("row", Some(30))
}
