//! [`Fences`]: the highest tokens of many keys, in bounded memory.

use std::collections::{BTreeSet, HashMap};

use crate::verifier::{Rule, Verdict};
use crate::{FencingToken, Resource};

/// The highest tokens of the keys of one slot: their tokens come from one counter.
///
/// It keeps [`Fences::MOST`] of them. If there are more, it gives up the lowest, and from then on that token is the **floor**:
/// the fence of all keys that have none of their own. So a stale token is refused in any case. A token that is not stale is
/// refused only if that many other keys of the slot were written under later tokens while its holder computed.
#[derive(Debug, Default)]
pub(super) struct Fences {
    highest: HashMap<Resource, FencingToken>,
    lowest_first: BTreeSet<(FencingToken, Resource)>,
    floor: Option<FencingToken>,
}

impl Fences {
    /// How many tokens are kept for each of the 1,024 slots.
    pub(super) const MOST: usize = 128;

    /// Judges a token and keeps it if it passes. An equal token passes.
    pub(super) fn admit(&mut self, key: &Resource, token: FencingToken) -> Verdict {
        let own = self.highest.get(key).copied();
        let verdict = Rule::AcceptEqual.judge(token, own.or(self.floor));
        if verdict == Verdict::Admitted {
            if let Some(own) = own {
                self.lowest_first.remove(&(own, key.clone()));
            }
            self.highest.insert(key.clone(), token);
            self.lowest_first.insert((token, key.clone()));
            self.give_up_the_lowest();
        }
        verdict
    }

    fn give_up_the_lowest(&mut self) {
        if self.highest.len() > Self::MOST
            && let Some((token, key)) = self.lowest_first.pop_first()
        {
            self.highest.remove(&key);
            self.floor = Some(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Resource {
        Resource::new(format!("k{number}")).unwrap()
    }

    fn token(number: usize) -> FencingToken {
        FencingToken::new(u64::try_from(number).unwrap()).unwrap()
    }

    #[test]
    fn what_was_given_up_is_still_refused_below_the_floor() {
        let mut fences = Fences::default();
        for number in 1..=Fences::MOST {
            assert_eq!(fences.admit(&key(number), token(10 + number)), Verdict::Admitted);
        }
        // Each key has a fence of its own, and a new key has none.
        assert_eq!(fences.admit(&key(1), token(10)), Verdict::Stale { highest: token(11) });
        assert_eq!(fences.admit(&key(7), token(17)), Verdict::Admitted);
        let newest = 10 + Fences::MOST + 1;
        assert_eq!(fences.admit(&key(0), token(newest)), Verdict::Admitted);
        // The fence of k1 was the lowest.
        assert_eq!((fences.highest.len(), fences.lowest_first.len()), (Fences::MOST, Fences::MOST));
        for (number, offered, verdict) in [
            (1, 10, Verdict::Stale { highest: token(11) }),
            (999, 10, Verdict::Stale { highest: token(11) }),
            (2, 11, Verdict::Stale { highest: token(12) }),
            (1, 11, Verdict::Admitted),
            (2, newest + 1, Verdict::Admitted),
        ] {
            assert_eq!(fences.admit(&key(number), token(offered)), verdict, "k{number} {offered}");
        }
        assert_eq!((fences.highest.len(), fences.lowest_first.len()), (Fences::MOST, Fences::MOST));
    }
}
