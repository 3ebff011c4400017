//! `redfence extend`: extends a lease that `acquire` printed.

use redfence::{Holder, Resource};
use serde::Serialize;

use super::{degraded, holder};
use crate::args::{ExtendArgs, Global};
use crate::connect::{self, DRAIN_MAX};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{DIM, Output};
use crate::words::ms;

#[derive(Serialize)]
struct Extended<'a> {
    resource: &'a Resource,
    holder: &'a Holder,
    valid_for_ms: u64,
}

/// Extends to the whole time to live from now.
pub(crate) async fn extend(args: &ExtendArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let resource = &args.resource;
    let redlock = connect::to_servers(global)?.ttl(args.ttl).max_hold(None).connect().await?;
    let gone = || Failure::new(Exit::Lost, "the lease is lost: no node has it for this holder");
    let holder = holder::whole(&args.holder, resource, &redlock, gone).await?;
    let extended = redlock.extend_as(resource, &holder).await;
    redlock.drain(DRAIN_MAX).await;
    let valid_for = extended.map_err(|error| Failure::extend(&error, &redlock))?;
    let valid_for_ms = ms(valid_for);
    degraded::note(&redlock, output);
    let human = format!("{DIM}valid for{DIM:#}  {valid_for_ms} ms");
    // The lease is extended, even if no one reads the result.
    let _ = output.result(&human, &Extended { resource, holder: &holder, valid_for_ms });
    Ok(Exit::Done)
}
