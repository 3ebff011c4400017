//! `redfence acquire`: a lease for a script.

use redfence::{Clock as _, Guard, Redlock};
use redfence::{FencingToken, Holder, Resource, SystemClock};
use serde::Serialize;

use super::hold;
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

/// Acquires and leaves the lease to whoever reads what is printed.
pub(crate) async fn acquire(args: &AcquireArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    // Nobody renews it, so nothing bounds it but its time to live.
    let builder = connect::to_servers(global)?.renewed(false).max_hold(None);
    let mut signals = Signals::listen()?;
    let (redlock, guard) = hold::hold(&args.resource, &args.lease, builder, &mut signals, output).await?;
    // The nodes that no quorum waited for are to have the lock as well before the connections end.
    redlock.drain(DRAIN_MAX).await;
    match print(&redlock, &guard, output) {
        Ok(()) => {
            drop(guard.into_lease());
            Ok(Exit::Done)
        }
        Err(error) => {
            // Nobody knows the holder, so nobody could release it.
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
