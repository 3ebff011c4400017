//! Turns `--holder` into a holder.

use redfence::{Holder, Redlock, Resource};

use crate::args::HolderArg;
use crate::exit::Exit;
use crate::failure::Failure;

/// The whole value of the holder. If only the id is known, the nodes are asked for the label. If no node has it, the
/// error is `gone`.
pub(super) async fn whole(
    holder: &HolderArg,
    resource: &Resource,
    redlock: &Redlock,
    gone: impl FnOnce() -> Failure,
) -> Result<Holder, Failure> {
    let id = match holder {
        HolderArg::Full(holder) => return Ok(holder.clone()),
        HolderArg::Id(id) => *id,
    };
    let inspection = redlock.admin().inspect(resource).await?;
    if let Some(holder) = inspection.holder_with_id(id) {
        return Ok(holder);
    }
    if inspection.is_quorum(|row| row.view.is_ok()) {
        return Err(gone());
    }
    let answered = inspection.count(|row| row.view.is_ok());
    let message = format!("no quorum: {answered} of {} nodes answered", inspection.rows.len());
    let faults = inspection.rows.into_iter().filter_map(|row| Some((row.address, row.view.err()?.to_string())));
    Err(Failure { votes: faults.collect(), ..Failure::new(Exit::NoQuorum, message) })
}
