//! [`SortedSet`]: members, each with a score, in the order of their scores.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;

/// Members in the order of their scores; members with equal scores in the order of their bytes. No score is NaN.
#[derive(Debug, Clone, Default)]
pub(super) struct SortedSet {
    /// Searched from the front, because these sets are small.
    members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    pub(super) score: f64,
    pub(super) name: Bytes,
}

impl SortedSet {
    /// Adds a member, or moves it to its new score.
    pub(super) fn put(&mut self, name: &Bytes, score: f64) {
        self.remove(name);
        // Minus zero becomes zero, as in sets that servers keep packed because they are small.
        let member = Member { score: score + 0.0, name: name.clone() };
        let at = self.members.partition_point(|other| other.order(&member).is_lt());
        self.members.insert(at, member);
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, name: &Bytes) -> bool {
        self.rank(name).map(|at| self.members.remove(at)).is_some()
    }

    /// Removes and returns the first ones.
    pub(super) fn take_first(&mut self, count: usize) -> Vec<Member> {
        self.members.drain(..count.min(self.len())).collect()
    }

    pub(super) fn score(&self, name: &Bytes) -> Option<f64> {
        self.members.iter().find(|member| member.name == name).map(|member| member.score)
    }

    /// How many are in front of it.
    pub(super) fn rank(&self, name: &Bytes) -> Option<usize> {
        self.members.iter().position(|member| member.name == name)
    }

    /// The members at these places; none where a place does not exist.
    pub(super) fn range(&self, places: Range<usize>) -> &[Member] {
        self.members.get(places).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }
}

impl Member {
    fn order(&self, other: &Self) -> Ordering {
        let by_score = self.score.partial_cmp(&other.score).unwrap_or(Ordering::Equal);
        by_score.then_with(|| self.name.cmp(&other.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_in_order_whatever_comes_and_goes() {
        let mut set = SortedSet::default();
        for (name, score) in [("c", 1.0), ("a", 2.0), ("b", 1.0), ("d", f64::NEG_INFINITY), ("z", -0.0), ("y", 0.0)] {
            set.put(&name.into(), score);
        }
        let names = |set: &SortedSet| -> Vec<Bytes> {
            set.range(0..set.len()).iter().map(|member| member.name.clone()).collect()
        };
        assert_eq!(names(&set), ["d", "y", "z", "b", "c", "a"]);
        assert!(set.score(&"z".into()).is_some_and(f64::is_sign_positive));
        set.put(&"a".into(), 0.5);
        assert!(set.remove(&"d".into()) && !set.remove(&"d".into()));
        assert_eq!(names(&set), ["y", "z", "a", "b", "c"]);
        assert_eq!((set.rank(&"a".into()), set.score(&"a".into()), set.rank(&"d".into())), (Some(2), Some(0.5), None));
        assert_eq!((set.take_first(3).len(), set.take_first(3).len(), set.take_first(3).len()), (3, 2, 0));
    }
}
