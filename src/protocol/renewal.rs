//! [`Renewal`]: when a lease is renewed, and when it is lost.

use std::time::Duration;

use crate::Moment;

/// The renewal plan of one lease.
///
/// The lease is lost at `valid_until`, whatever the network does. No reply and no failure is needed for that.
#[derive(Debug, Clone)]
pub struct Renewal {
    valid_until: Moment,
    hold_until: Option<Moment>,
    next_try: Option<Moment>,
    trying: bool,
    failures: u32,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing before this moment.
    Wait(Moment),
    /// Try to extend now. The attempt must end before `valid_until`.
    Extend {
        /// The time that is left for the attempt.
        budget: Duration,
    },
    /// The lease is over.
    Lost(LossCause),
}

/// Why a lease is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LossCause {
    /// The validity ended: the lease was not renewed, or no renewal succeeded.
    Expired,
    /// A majority of the nodes no longer has the lock for this holder, and the validity had not ended yet.
    Taken,
    /// The lease was held as long as `max_hold` allows.
    MaxHold,
    /// This process is a fork of the one that holds it.
    Forked,
    /// The holder released it.
    Released,
}

impl std::fmt::Display for LossCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Expired => "its validity ended",
            Self::Taken => "a majority of the nodes no longer has it for this holder",
            Self::MaxHold => "it was held for as long as max_hold allows",
            Self::Forked => "this process is a fork of the one that holds it",
            Self::Released => "it was released",
        })
    }
}

impl Renewal {
    /// Renewal begins when one third of the validity has passed. The rest is left for further attempts.
    const FRACTION: u32 = 3;

    /// A lease that is valid until `valid_until`, as of `now`. Without `renewed` it is not extended, only watched.
    #[must_use]
    pub fn new(valid_until: Moment, hold_until: Option<Moment>, renewed: bool, now: Moment) -> Self {
        let next_try = renewed.then(|| now.after(valid_until.since(now) / Self::FRACTION));
        Self { valid_until, hold_until, next_try, trying: false, failures: 0 }
    }

    /// The end of the validity.
    #[must_use]
    pub const fn valid_until(&self) -> Moment {
        self.valid_until
    }

    /// When the lease ends for its holder: the end of its validity, or of `max_hold` if that comes first.
    #[must_use]
    pub fn ends_at(&self) -> Moment {
        self.hold_until.map_or(self.valid_until, |hold_until| hold_until.min(self.valid_until))
    }

    /// What to do at `now`. It asks for one attempt at a time. Until the caller reports the outcome, only the loss
    /// can follow.
    pub fn due(&mut self, now: Moment) -> Action {
        let ends_at = self.ends_at();
        if now >= ends_at {
            let by_max_hold = self.hold_until.is_some_and(|hold_until| hold_until <= self.valid_until);
            return Action::Lost(if by_max_hold { LossCause::MaxHold } else { LossCause::Expired });
        }
        match self.next_try {
            Some(next_try) if !self.trying && self.hold_until.is_none_or(|until| until > self.valid_until) => {
                if now >= next_try {
                    self.trying = true;
                    return Action::Extend { budget: ends_at.since(now) };
                }
                Action::Wait(next_try.min(ends_at))
            }
            _ => Action::Wait(ends_at),
        }
    }

    /// An attempt succeeded: a renewal, or the holder's own call.
    ///
    /// The next attempt comes up to a tenth earlier, by `jitter` (uniform over `u32`), so that leases that were
    /// acquired together are not always renewed together. It is moved to a beat that leases of similar length share:
    /// renewals of one process that are due at about the same time travel in one message.
    pub fn extended(&mut self, valid_until: Moment, now: Moment, jitter: u32) {
        self.trying = false;
        self.failures = 0;
        self.valid_until = self.valid_until.max(valid_until);
        let pause = self.valid_until.since(now) / Self::FRACTION;
        let earlier = Duration::from_nanos(((pause.as_nanos() / 10 * u128::from(jitter)) >> u32::BITS) as u64);
        self.next_try = self.next_try.map(|_| on_a_beat(now.after(pause - earlier), pause));
    }

    /// An attempt failed, but the lease may still exist. The next attempt comes after a pause that doubles, with
    /// `jitter` (uniform over `u32`), and before the validity ends.
    pub fn failed(&mut self, now: Moment, jitter: u32) {
        self.trying = false;
        let left = self.ends_at().since(now);
        let ceiling = Self::PAUSE_MIN.saturating_mul(1 << self.failures.min(6)).min(left / 4);
        self.failures += 1;
        // Half of the pause is fixed, half is jitter.
        let jittered = Duration::from_nanos(((ceiling.as_nanos() / 2 * u128::from(jitter)) >> u32::BITS) as u64);
        self.next_try = self.next_try.map(|_| now.after(ceiling / 2 + jittered).after(Duration::from_millis(1)));
    }

    /// The first pause after a failed attempt.
    const PAUSE_MIN: Duration = Duration::from_millis(20);
}

/// The last beat not after `at`. A `pause` has 256 to 512 beats, and a beat is a power of two of nanoseconds.
fn on_a_beat(at: Moment, pause: Duration) -> Moment {
    const NS: fn(Duration) -> u64 = |duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let beat = (NS(pause) / 256).checked_ilog2().map_or(1, |power| 1 << power);
    at.before(Duration::from_nanos(NS(at.since_origin()) % beat))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const AT: fn(u64) -> Moment = |ms| Moment::from_origin(MS(ms));

    #[test]
    fn a_lease_is_renewed_at_a_third_of_its_validity() {
        let mut plan = Renewal::new(AT(900), None, true, AT(0));
        assert_eq!(plan.due(AT(0)), Action::Wait(AT(300)));
        assert_eq!(plan.due(AT(300)), Action::Extend { budget: MS(600) });
        assert_eq!(plan.due(AT(301)), Action::Wait(AT(900)), "one try at a time");
        plan.extended(AT(1_200), AT(310), 0);
        let third = AT(310).after(MS(890) / 3);
        assert_eq!(plan.due(AT(311)), Action::Wait(on_a_beat(third, MS(890) / 3)));
        plan.extended(AT(1_200), AT(310), u32::MAX);
        let Action::Wait(until) = plan.due(AT(311)) else { panic!("not waiting") };
        assert!(until < AT(580) && until > AT(575), "up to a tenth earlier: {until:?}");
    }

    #[test]
    fn leases_that_are_due_about_the_same_time_are_renewed_at_the_same() {
        let next = |now: Moment, ttl: Duration, jitter| {
            let mut plan = Renewal::new(now.after(ttl), None, true, now);
            plan.extended(now.after(ttl), now, jitter);
            match plan.due(now) {
                Action::Wait(until) => until,
                other => panic!("{other:?}"),
            }
        };
        let ttl = MS(30_000);
        let mut times: Vec<_> = (0..10_000)
            .map(|lease| next(AT(20_000 + lease / 10), ttl, (lease as u32).wrapping_mul(2_654_435_769)))
            .collect();
        times.sort_unstable();
        let (first, last) = (times[0], times[times.len() - 1]);
        assert!(AT(28_960) <= first && last < AT(31_000), "up to a tenth earlier, and a beat: {first:?}, {last:?}");
        times.dedup();
        assert!((30..64).contains(&times.len()), "{} beats in two seconds", times.len());
        assert!(next(AT(0), Duration::from_nanos(5), 0) > AT(0), "also where there is no time for beats");
    }

    #[test]
    fn s2_s3_loss_falls_due_at_valid_until_while_a_try_still_hangs() {
        let mut plan = Renewal::new(AT(900), None, true, AT(0));
        assert!(matches!(plan.due(AT(300)), Action::Extend { .. }));
        assert_eq!(plan.due(AT(899)), Action::Wait(AT(900)));
        assert_eq!(plan.due(AT(900)), Action::Lost(LossCause::Expired));
    }

    #[test]
    fn s22_s23_failed_tries_are_repeated_until_the_end() {
        let mut plan = Renewal::new(AT(900), None, true, AT(0));
        let (mut now, mut tries) = (AT(0), 0);
        loop {
            match plan.due(now) {
                Action::Wait(until) => {
                    assert!(until > now, "no busy loop");
                    now = until;
                }
                Action::Extend { .. } => {
                    tries += 1;
                    plan.failed(now, u32::MAX);
                }
                Action::Lost(cause) => break assert_eq!((cause, now), (LossCause::Expired, AT(900))),
            }
        }
        assert!((5..500).contains(&tries), "{tries} tries");
    }

    #[test]
    fn max_hold_bounds_the_whole_life() {
        let mut plan = Renewal::new(AT(900), Some(AT(1_000)), true, AT(0));
        assert!(matches!(plan.due(AT(300)), Action::Extend { .. }));
        plan.extended(AT(1_200), AT(310), 0);
        assert_eq!(plan.due(AT(700)), Action::Wait(AT(1_000)), "no extension beyond max_hold");
        assert_eq!(plan.due(AT(1_000)), Action::Lost(LossCause::MaxHold));
    }

    #[test]
    fn an_unrenewed_lease_is_only_watched() {
        let mut plan = Renewal::new(AT(900), None, false, AT(0));
        assert_eq!(plan.due(AT(500)), Action::Wait(AT(900)));
        plan.extended(AT(1_500), AT(500), 0);
        assert_eq!(plan.due(AT(900)), Action::Wait(AT(1_500)));
        assert_eq!(plan.due(AT(1_500)), Action::Lost(LossCause::Expired));
    }
}
