//! [`Leader`]: the leader as any process sees it.

use crate::{FencingToken, Label};

/// The leader and its term, as read from the notice. There may be another leader when this is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leader {
    /// Its term: greater for a later leader.
    pub term: FencingToken,
    /// Its label, as set by [`Builder::label`](crate::Builder::label), cut to 111 bytes, which is the room beside the term.
    pub label: Label,
}

impl Leader {
    /// The label of the notice: the term, a space, and as much of the leader's label as fits.
    pub(super) fn notice(&self) -> Label {
        let mut notice = format!("{} {}", self.term, self.label);
        while notice.len() > Label::LEN_MAX {
            notice.pop();
        }
        // A part of a label is a label, too.
        Label::new(notice).unwrap_or_else(|_| self.label.clone())
    }

    /// Reads the label of a notice; `None` if it is none.
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
