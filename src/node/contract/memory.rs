//! The rules of what a node remembers: a node that rests has no counters, but extends and releases its locks, and
//! grants again when its rest is over.

use std::time::Duration;

use super::suite::{Broken, Party, Suite, TTL, ensure};
use crate::WallTime;
use crate::protocol::{FaultKind, NodeReport, RecordUpdate, Reply, Verb};

pub(super) async fn check(suite: &Suite<'_>) -> Result<(), Broken> {
    suite.a_node_that_rests_grants_nothing().await?;
    suite.a_block_is_drawn_as_a_whole().await
}

/// Long enough for a few requests, and short enough to wait for.
const REST: Duration = Duration::from_millis(400);
/// The longest wait for a node to become awake.
const WITHIN: Duration = Duration::from_secs(5);
const BLOCK: u32 = 7;
const MAX_TTL: Duration = Duration::from_secs(20);

impl Suite<'_> {
    async fn a_node_that_rests_grants_nothing(&self) -> Result<(), Broken> {
        let rule = "a node that rests extends and releases its locks, and grants nothing";
        let (one, other) = (self.party("rest", 210)?, self.party("rest", 211)?);
        let drawn = one.granted(rule, TTL, 0).await?;
        let seen = one.reported(rule, Verb::Probe { max_ttl: MAX_TTL }).await?;
        let resting = one.reported(rule, rest(&seen)).await?;
        ensure(rule, resting.record.is_some_and(|record| !record.awake), &resting)?;
        one.expect(rule, Verb::Extend { ttl: TTL }, &Reply::Extended).await?;
        one.expect(rule, Verb::RELEASE, &Reply::Released).await?;
        let reply = other.ask(Verb::Grant { ttl: TTL, floor: 0, block: 1, waits: None }).await;
        let forgot = matches!(&reply, Reply::Failed(fault) if fault.kind == FaultKind::Forgot);
        ensure("a grant at a node that rests gets the reply forgot", forgot, &reply)?;
        let view = other.view(rule).await?;
        ensure("a grant at a node that rests leaves no lock", view.lock.is_free() && view.counter == 0, &view)?;
        let early = one.reported(rule, activate()).await?;
        let is_early = early.record.is_some_and(|record| early.now < record.ready_at);
        ensure(
            "a node is not activated before its rest is over",
            !is_early || early.record.is_some_and(|record| !record.awake),
            &early,
        )?;
        let woken = self.wait_until_awake(&one).await?;
        self.node.admit(woken.session);
        let next = other.granted("after its rest a node grants, above all that it drew", TTL, 0).await?;
        ensure("after its rest a node grants, above all that it drew", next > drawn, &(drawn, next))
    }

    async fn a_block_is_drawn_as_a_whole(&self) -> Result<(), Broken> {
        let rule = "a grant draws as many numbers as it asks for, and returns the last of them";
        let first = self.party("block", 220)?;
        let before = first.granted(rule, TTL, 0).await?;
        first.expect(rule, Verb::RELEASE, &Reply::Released).await?;
        let grant = Verb::Grant { ttl: TTL, floor: 0, block: BLOCK, waits: None };
        let reply = self.party("block", 221)?.ask(grant).await;
        let whole = matches!(reply, Reply::Granted { counter } if counter == before + u64::from(BLOCK));
        ensure(rule, whole, &(before, reply))?;
        let floor = before + 1_000;
        let resource = self.party("block", 221)?;
        resource.expect(rule, Verb::RELEASE, &Reply::Released).await?;
        let reply = self.party("block", 222)?.ask(Verb::Grant { ttl: TTL, floor, block: BLOCK, waits: None }).await;
        ensure("a block reaches its floor", reply == Reply::Granted { counter: floor }, &reply)
    }

    async fn wait_until_awake(&self, party: &Party<'_>) -> Result<NodeReport, Broken> {
        let rule = "a node that is activated after its rest is awake";
        for _ in 0..WITHIN.as_millis() / 10 {
            let report = party.reported(rule, activate()).await?;
            if report.record.is_some_and(|record| record.awake) {
                return Ok(report);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(Broken { rule, detail: format!("it still rests after {WITHIN:?}") })
    }
}

/// The request that lets a node rest, after the probe that saw `seen`.
fn rest(seen: &NodeReport) -> Verb {
    let (record, mark) = (seen.record, seen.mark);
    RecordUpdate { seen: record, mark, rest: REST, new: false, max_ttl: MAX_TTL, wall: WallTime::default() }.into()
}

fn activate() -> Verb {
    Verb::Activate { max_ttl: Duration::ZERO, wall: WallTime::default() }
}
