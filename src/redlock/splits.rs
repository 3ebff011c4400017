//! [`Splits`]: what becomes of contenders who split the votes. They give them back at once, and would meet again at once, for
//! ever: so the one with the most votes goes away for a random while and listens to nobody, and the others wait for what it
//! gives back.

use std::time::Duration;

use crate::protocol::Votes;

/// The splits that one contender met.
pub(super) struct Splits<Pauses> {
    fresh: Pauses,
    pauses: Pauses,
    in_a_row: u32,
}

/// Who has listened so often goes away too: with votes that came too late to be counted, each may think that others have more.
const SPLITS_MAX: u32 = 3;

impl<Pauses: Iterator<Item = Duration> + Clone> Splits<Pauses> {
    pub(super) fn new(fresh: Pauses) -> Self {
        Self { pauses: fresh.clone(), fresh, in_a_row: 0 }
    }

    /// For how long to go away after these votes, if at all.
    pub(super) fn after(&mut self, votes: &Votes, blocking: usize) -> Option<Duration> {
        let (granted, on) = (votes.granted(), votes.held_by_occupant().len());
        if granted == 0 || (on >= blocking && on > granted) {
            (self.pauses, self.in_a_row) = (self.fresh.clone(), 0);
            return None;
        }
        self.in_a_row += 1;
        (granted >= on || self.in_a_row > SPLITS_MAX).then(|| self.pauses.next()).flatten()
    }
}
