//! [`Leader`]: who leads, as any process sees it.

use crate::{FencingToken, Label};

/// Who leads, and since which term. Advisory: it may have changed by the time anybody reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leader {
    /// Its term: greater for a later leader.
    pub term: FencingToken,
    /// Its label, as set by [`Builder::label`](crate::Builder::label), cut to what has room beside the term: 111 bytes.
    pub label: Label,
}

impl Leader {
    /// What the label of the notice says: the term, a space, and as much of the leader's label as has room.
    pub(super) fn notice(&self) -> Label {
        let mut notice = format!("{} {}", self.term, self.label);
        while notice.len() > Label::LEN_MAX {
            notice.pop();
        }
        // Cut, it is a label as before.
        Label::new(notice).unwrap_or_else(|_| self.label.clone())
    }

    /// What a notice says, if it is one.
    pub(super) fn of_notice(label: &Label) -> Option<Self> {
        let (term, label) = label.as_str().split_once(' ')?;
        Some(Self { term: term.parse().ok()?, label: label.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_back_and_a_long_label_is_cut() {
        let term = FencingToken::new(1_700_000_000_000_000).unwrap();
        for label in ["", "db-7:4711", "two words"] {
            let leader = Leader { term, label: Label::new(label).unwrap() };
            assert_eq!(Leader::of_notice(&leader.notice()), Some(leader));
        }
        let long = Leader { term, label: Label::new("ü".repeat(64)).unwrap() };
        let read = Leader::of_notice(&long.notice()).unwrap();
        assert_eq!((read.term, read.label.as_str()), (term, &*"ü".repeat(55)));
        for foreign in ["", "x", "x y", "-1 y", "12"] {
            assert_eq!(Leader::of_notice(&Label::new(foreign).unwrap()), None, "{foreign:?}");
        }
    }
}
