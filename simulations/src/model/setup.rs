//! [`Setup`]: what a world is made of, and the setups that are searched.

use super::{Knows, Mutant};

/// What a world is made of, and what may happen in it.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// How many nodes.
    pub nodes: usize,
    /// How many attempts begin in all.
    pub attempts: usize,
    /// How many of them may be active at one time, with or without a lease.
    pub clients: usize,
    /// How often each lease may be extended.
    pub extensions: u8,
    /// How many numbers a grant draws. All but one are for waiting tasks of the process: the lease is handed over to
    /// one of them.
    pub block: u32,
    /// How far apart the nodes' counters may be at the beginning.
    pub spread: u64,
    /// Whether attempts may ask for counters above the tokens that were issued.
    pub floors: bool,
    /// Whether time passes.
    pub time: Time,
    /// How often nodes may restart, in all.
    pub restarts: u8,
    /// Whether replies arrive at once. This keeps large worlds searchable. Requests may still be late.
    pub prompt: bool,
    /// Whether a restarted node may wait for a locker to probe it. If not, it is probed at once, so that its rest ends
    /// as early as possible. Until then it grants nothing in both cases.
    pub joins_late: bool,
    /// Whether the search ends in states where no two attempts can believe any more, because only X and E are checked.
    pub only_rivals: bool,
    /// Whether attempts give up and holders leave.
    pub leaves: bool,
    /// Whether releases are messages. If not, the locks of attempts that left vanish at any later moment, or never.
    /// That covers every delivery of a release.
    pub releases: bool,
    /// Whether an attempt may lose a connection.
    pub connection_losses: bool,
    /// Whether a client of another library acquires once, and which nodes it knows.
    pub foreign: Option<Knows>,
    /// Whether the first node is an anchor.
    pub anchor: bool,
    /// The wrong protocol to run, if any.
    pub mutant: Option<Mutant>,
}

/// Whether time passes, and what ends a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Time does not pass, and any lock may vanish at any moment.
    Still,
    /// Time passes this many times, by half a TTL. Locks end only by that and by releases.
    Ticks(u8),
}

impl Setup {
    /// Three nodes whose locks vanish at any moment: T1, T2, E and F rely on no timing.
    #[must_use]
    pub const fn vanishing(attempts: usize) -> Self {
        Self {
            nodes: 3,
            attempts,
            clients: attempts,
            extensions: 0,
            block: 1,
            spread: 2,
            floors: true,
            time: Time::Still,
            restarts: 0,
            prompt: false,
            joins_late: false,
            only_rivals: false,
            leaves: false,
            releases: false,
            connection_losses: false,
            foreign: None,
            anchor: false,
            mutant: None,
        }
    }

    /// Three nodes that keep their locks until they expire: X must hold too.
    #[must_use]
    pub const fn lasting(attempts: usize) -> Self {
        Self { spread: 0, floors: false, time: Time::Ticks(3), leaves: true, ..Self::vanishing(attempts) }
    }

    /// The setups of [`Setup::searched`] that take only seconds; one of them is made smaller.
    #[must_use]
    pub fn searched_quickly(attempts: usize) -> Vec<(&'static str, Self)> {
        let mut setups = Self::searched(attempts);
        setups.retain(|(name, _)| !matches!(*name, "locks last" | "locks vanish, an anchor"));
        for (_, setup) in setups.iter_mut().filter(|(name, _)| *name == "locks vanish, a node forgets") {
            setup.spread = 0;
        }
        setups
    }

    /// The setups that are searched completely, with their names. With three attempts, replies are prompt.
    #[must_use]
    pub fn searched(attempts: usize) -> Vec<(&'static str, Self)> {
        let prompt = attempts > 2;
        let vanishing = Self { prompt, ..Self::vanishing(attempts) };
        let level = Self { spread: 1, floors: false, ..vanishing };
        let lasting = Self { prompt, ..Self::lasting(attempts) };
        // With two attempts X matters only while both may believe. So the first may begin with time itself. It believes
        // for less than two ticks, and one tick longer if it extends.
        let rivals = Self { leaves: attempts > 2, only_rivals: true, ..lasting };
        // The foreign client takes the place of an attempt.
        let others = attempts.saturating_sub(1);
        let mixed = Self { attempts: others, clients: others, foreign: Some(Knows::All), only_rivals: true, ..lasting };
        let anchored = Self { foreign: Some(Knows::One), anchor: true, ..mixed };
        let until = |ticks| Time::Ticks(if attempts > 2 { 3 } else { ticks });
        vec![
            ("locks vanish", vanishing),
            ("locks vanish, extensions", Self { extensions: 1, ..level }),
            ("locks vanish, hand-over", Self { block: 2, ..level }),
            ("locks vanish, a node forgets", Self { restarts: 1, ..level }),
            ("locks last", lasting),
            ("locks last, a node restarts", Self { restarts: 1, time: until(1), ..rivals }),
            ("locks last, extensions", Self { extensions: 1, time: until(2), ..rivals }),
            ("locks vanish, an anchor", Self { extensions: 1, anchor: true, ..level }),
            ("locks last, a foreign client", Self { extensions: 1, ..mixed }),
            ("locks last, an anchor and a client of one node", Self { extensions: 2, prompt: true, ..anchored }),
        ]
    }

    const fn anchored(mutant: Mutant) -> Self {
        let mutant = Some(mutant);
        Self { foreign: Some(Knows::One), anchor: true, prompt: true, leaves: false, mutant, ..Self::lasting(1) }
    }

    /// The smallest setup that shows what is wrong with `mutant`.
    #[must_use]
    pub const fn showing(mutant: Mutant) -> Self {
        let setup = Self { floors: false, mutant: Some(mutant), ..Self::vanishing(2) };
        match mutant {
            Mutant::NoSeal | Mutant::SealWithoutHolder => setup,
            Mutant::GrantTwice => Self { spread: 1, ..setup },
            Mutant::ReachableQuorum => Self { spread: 0, ..setup },
            Mutant::ForgottenCounterVotes => Self { spread: 0, restarts: 1, ..setup },
            Mutant::ExtendReseeds => Self { spread: 0, extensions: 1, ..setup },
            Mutant::NoRest => Self { spread: 0, restarts: 1, time: Time::Ticks(0), ..setup },
            Mutant::BlockNotOwned | Mutant::HandOverToLatecomers => Self { spread: 0, block: 2, ..setup },
            Mutant::NoAnchor => Self { attempts: 1, clients: 1, ..Self::anchored(mutant) },
            Mutant::ExtendWithoutAnchor => Self { attempts: 1, clients: 1, extensions: 2, ..Self::anchored(mutant) },
            Mutant::HandOverAfterLoss => Self { spread: 0, block: 2, time: Time::Ticks(2), ..setup },
        }
    }
}
