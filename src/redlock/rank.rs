//! [`Rank`]: who comes first among processes that wait for the same lock, nearly. Nobody keeps a list: each was told how many
//! others waited when it was refused, counts the releases since, and lets those before it ask first.

use std::time::Duration;

use tokio::time::timeout;

use super::bell::{Awaited, Bell, Told};
use super::core::Core;
use crate::NodeSet;

/// How long others have to take what is left to them, at least; and how much longer for each that comes first.
const A_MOMENT: Duration = Duration::from_millis(5);
const A_STEP: Duration = Duration::from_micros(250);
const MOMENT_MAX: Duration = Duration::from_millis(10);

/// One's place among processes that wait: the release that makes it this one's turn, in the count of the bell.
#[derive(Debug, Default)]
pub(super) struct Rank(Option<u64>);

impl Rank {
    /// So many others were found to have the lock or to wait for it. A place that is taken already stays.
    pub(super) fn takes(&mut self, others: u32, bell: &Bell) {
        self.0.get_or_insert_with(|| bell.releases() + u64::from(others));
    }

    /// It had its turn: so many others come first from now on, and one of them can have the lock now.
    pub(super) async fn goes_to_the_end(&mut self, core: &Core, bell: &Bell, others: u32) -> Option<NodeSet> {
        self.0 = None;
        self.takes(others, bell);
        self.gives_way(core, bell, bell.releases()).await
    }

    /// The lock was released, as a quorum told, or fewer nodes so far. Those who come first may ask first; returns the quorum
    /// that told last.
    pub(super) async fn lets_others_ask(&self, core: &Core, bell: &Bell, by: Option<NodeSet>) -> Option<NodeSet> {
        let released = bell.releases() + u64::from(by.is_none());
        if self.behind(released) == 0 { by } else { self.gives_way(core, bell, released).await.or(by) }
    }

    async fn gives_way(&self, core: &Core, bell: &Bell, mut released: u64) -> Option<NodeSet> {
        let mut last = None;
        while let Some(by) = one_more(core, bell, self.behind(released)).await {
            (last, released) = (Some(by), released + 1);
            if self.behind(released) == 0 {
                break;
            }
        }
        last
    }

    /// How many come first, after so many releases.
    fn behind(&self, released: u64) -> u64 {
        self.0.map_or(0, |turn| turn.saturating_sub(released))
    }
}

/// A quorum's word that somebody took the lock and released it. Where none comes in time, perhaps nobody took it.
async fn one_more(core: &Core, bell: &Bell, behind: u64) -> Option<NodeSet> {
    let steps = u32::try_from(behind).unwrap_or(u32::MAX);
    let moment = A_STEP.saturating_mul(steps).saturating_add(A_MOMENT).min(MOMENT_MAX);
    let anybody = Awaited { holder: Some(core.lobby.me()), on: NodeSet::EMPTY, first: None };
    match timeout(moment, bell.tells(anybody, bell.mark())).await {
        Ok(Told::Released(by)) => by,
        Ok(Told::Perhaps) | Err(_) => None,
    }
}
