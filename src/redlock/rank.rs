//! [`Rank`]: who comes first among processes that wait for the same lock, nearly. Nobody keeps a list: each was told how many
//! others listened when it was refused, counts their turns since, and lets those before it ask first. No promise rests on it.

use std::time::Duration;

use tokio::time::timeout;

use super::bell::{Awaited, Bell, Told, Whose};
use crate::NodeSet;

/// How long others have to take what is left to them, at least; and how much longer for each that comes first: not all look
/// at the same moment.
const A_MOMENT: Duration = Duration::from_millis(5);
const A_STEP: Duration = Duration::from_millis(1);
const MOMENT_MAX: Duration = Duration::from_millis(10);

/// One's place among processes that wait.
#[derive(Debug, Default)]
pub(super) struct Rank(Option<Place>);

#[derive(Debug)]
struct Place {
    /// It is this one's turn after so many turns, in the count of the bell.
    turn: u64,
    /// What the bell counted when the lock was last released.
    seen: u64,
}

/// Why the others are not waited for any longer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// It is this one's turn; if a quorum told of the release that makes it so, these nodes did.
    Turn(Option<NodeSet>),
    /// Nobody has released for a moment: somebody has the lock, or those who come first are not there.
    Unknown,
}

impl Rank {
    /// So many others were found to listen: they have the lock, or wait for it. A place that is taken already stays.
    pub(super) fn takes(&mut self, others: u32, bell: &Bell) {
        let seen = bell.turns();
        self.0.get_or_insert(Place { turn: seen + u64::from(others), seen });
    }

    /// It had its turn: so many others come first from now on, and one of them can have the lock now.
    pub(super) async fn goes_to_the_end(&mut self, bell: &Bell, others: u32) -> Way {
        self.0 = None;
        self.takes(others, bell);
        match one_more(bell, self.behind(bell, bell.turns())).await {
            Some(by) => self.gives_way(bell, Some(by)).await,
            None => Way::Unknown,
        }
    }

    /// The lock was released, as a quorum told, or fewer nodes so far. Those who come first may ask first.
    pub(super) async fn lets_others_ask(&mut self, bell: &Bell, by: Option<NodeSet>) -> Way {
        // What a quorum has not told of yet is not counted yet.
        let turns = bell.turns() + u64::from(by.is_none());
        if let Some(place) = &mut self.0 {
            if turns <= place.seen {
                // The one that had it has had it again: whoever comes first does not ask.
                place.turn = place.turn.saturating_sub(1);
            }
            place.seen = place.seen.max(turns);
        }
        match self.behind(bell, turns) {
            0 => Way::Turn(by),
            behind => match one_more(bell, behind).await {
                Some(by) => self.gives_way(bell, Some(by)).await,
                None => Way::Unknown,
            },
        }
    }

    /// The lock was released, and a quorum may have told. Those who come first may ask first.
    pub(super) async fn gives_way(&self, bell: &Bell, mut by: Option<NodeSet>) -> Way {
        loop {
            let turns = bell.turns();
            let behind = self.behind(bell, turns);
            if behind == 0 {
                return Way::Turn(by);
            }
            // One that takes turn after turn is not waited for again and again.
            match timeout(MOMENT_MAX * 2, one_more_turn(bell, turns, behind)).await {
                Ok(Some(told)) => by = Some(told),
                Ok(None) | Err(_) => return Way::Unknown,
            }
        }
    }

    /// How many come first, after so many turns.
    fn behind(&self, bell: &Bell, turns: u64) -> u64 {
        self.0.as_ref().map_or(0, |place| place.turn.saturating_sub(turns + bell.absent()))
    }
}

/// A quorum's word that one more turn is over.
async fn one_more_turn(bell: &Bell, turns: u64, behind: u64) -> Option<NodeSet> {
    loop {
        let by = one_more(bell, behind).await?;
        if bell.turns() > turns {
            return Some(by);
        }
    }
}

/// A quorum's word that somebody took the lock and released it. Where none comes in time, perhaps nobody took it.
async fn one_more(bell: &Bell, behind: u64) -> Option<NodeSet> {
    let steps = u32::try_from(behind).unwrap_or(u32::MAX);
    let moment = A_STEP.saturating_mul(steps).saturating_add(A_MOMENT).min(MOMENT_MAX);
    let others = Awaited { whose: Whose::Others, on: NodeSet::EMPTY, first: None };
    match timeout(moment, bell.tells(others, bell.mark())).await {
        Ok(Told::Released(by)) => by,
        Ok(Told::Perhaps) | Err(_) => None,
    }
}
