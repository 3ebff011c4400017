//! [`RequestKind`]: what a request asks for, without its arguments.

use redfence::protocol::Verb;

/// What a request asks for. Replies carry it, because a reply alone does not show its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum RequestKind {
    Grant,
    Seal,
    Extend,
    Release,
}

impl RequestKind {
    pub(super) const fn of(verb: &Verb) -> Self {
        match verb {
            Verb::Grant { .. } => Self::Grant,
            Verb::Seal { .. } => Self::Seal,
            Verb::Extend { .. } => Self::Extend,
            _ => Self::Release,
        }
    }
}
