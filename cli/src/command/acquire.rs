//! `redfence acquire`: acquires a lease for a script.

use redfence::{Clock as _, Guard, Redlock};
use redfence::{FencingToken, Holder, Resource, SystemClock};
use serde::Serialize;

use super::hold::{self, Wish};
use crate::args::{AcquireArgs, Global};
use crate::connect::{self, DRAIN_MAX};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{DIM, Output};
use crate::signals::Signals;
use crate::words::ms;

#[derive(Serialize)]
struct Acquired<'a> {
    resource: &'a Resource,
    holder: &'a Holder,
    token: FencingToken,
    valid_for_ms: u64,
    /// The nodes of the set, in order.
    nodes: Vec<String>,
}

/// Acquires a lease, prints it, and leaves it to the caller.
pub(crate) async fn acquire(args: &AcquireArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    // The lease is not renewed, so only its time to live limits it.
    let builder = connect::to_servers(global)?.renewed(false).max_hold(None);
    let mut signals = Signals::listen()?;
    let (ttl, label) = (args.lease.ttl, args.lease.label.as_deref());
    let wish = Wish { resource: &args.resource, ttl, label, wait: args.wait, gives_up_early: false };
    let (redlock, guard) = hold::hold(&wish, builder, &mut signals, output).await?;
    // Before the connections end, the grants must reach also the nodes that no quorum waited for.
    redlock.drain(DRAIN_MAX).await;
    match print(&redlock, &guard, output) {
        Ok(()) => {
            drop(guard.into_lease());
            Ok(Exit::Done)
        }
        Err(error) => {
            // The caller does not know the holder, so it could not release the lease.
            drop(guard.release().await);
            redlock.drain(DRAIN_MAX).await;
            Err(Failure::new(Exit::Failed, format!("the lease was released again, it could not be printed: {error}")))
        }
    }
}

fn print(redlock: &Redlock, guard: &Guard, output: Output) -> std::io::Result<()> {
    let lease = guard.lease();
    let valid_for = lease.valid_for(SystemClock.now()).unwrap_or_default();
    let (holder, token, valid_for_ms) = (&lease.holder, lease.token, ms(valid_for));
    let human = format!(
        "{DIM}holder{DIM:#}     {holder}\n{DIM}token{DIM:#}      {token}\n{DIM}valid for{DIM:#}  {valid_for_ms} ms"
    );
    let nodes = redlock.addresses();
    output.result(&human, &Acquired { resource: &lease.resource, holder, token, valid_for_ms, nodes })
}
