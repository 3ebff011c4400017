//! [`Setup`]: what a world is made of, and the setups that are searched.

use super::Mutant;

/// What a world is made of, and what may happen in it.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// How many nodes.
    pub nodes: usize,
    /// How many attempts begin in all.
    pub attempts: usize,
    /// How many of them may be under way or hold a lease at one time.
    pub clients: usize,
    /// How often each lease may be extended.
    pub extensions: u8,
    /// How far apart the nodes' counters may lie in the beginning.
    pub spread: u64,
    /// Whether attempts may ask for counters above the tokens that were issued.
    pub floors: bool,
    /// Whether time passes.
    pub time: Time,
    /// How often nodes may restart, in all.
    pub restarts: u8,
    /// Whether attempts give up and holders leave.
    pub leaves: bool,
    /// Whether their releases travel. If not, the locks of those who left vanish at any later moment, or never: whatever
    /// becomes of a release is among that.
    pub releases: bool,
    /// Whether an attempt may hear that a connection is lost.
    pub cuts: bool,
    /// The wrong protocol to run, if any.
    pub mutant: Option<Mutant>,
}

/// Whether time passes, and with it what ends a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// It stands still, and any lock may vanish at any moment.
    Still,
    /// It passes this many times, by half a time to live. Locks end by it and by releases only.
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
            spread: 2,
            floors: true,
            time: Time::Still,
            restarts: 0,
            leaves: false,
            releases: false,
            cuts: false,
            mutant: None,
        }
    }

    /// Three nodes that keep their locks until their time is over: X has to hold as well.
    #[must_use]
    pub const fn lasting(attempts: usize) -> Self {
        Self { spread: 0, floors: false, time: Time::Ticks(3), leaves: true, ..Self::vanishing(attempts) }
    }

    /// The setups that are searched, and their names.
    #[must_use]
    pub fn searched(attempts: usize) -> Vec<(&'static str, Self)> {
        let (vanishing, lasting) = (Self::vanishing(attempts), Self::lasting(attempts));
        // Who left does not believe, so of two attempts X asks only what they do while they stay.
        let staying = Self { leaves: attempts > 2, ..lasting };
        vec![
            ("locks vanish", vanishing),
            ("locks vanish, extensions", Self { extensions: 1, spread: 1, floors: false, ..vanishing }),
            ("locks vanish, a node forgets", Self { restarts: 1, spread: 1, floors: false, ..vanishing }),
            ("locks last", lasting),
            ("locks last, a node restarts", Self { restarts: 1, ..staying }),
            ("locks last, extensions", Self { extensions: 1, ..staying }),
        ]
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
        }
    }
}
