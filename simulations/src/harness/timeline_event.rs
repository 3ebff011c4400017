//! [`TimelineEvent`]: what a picture of a run shows in addition to leases and writes. Promises are not judged by it.

use redfence::FencingToken;

use crate::history::Micros;

/// Something to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimelineEvent {
    /// A client's process is paused.
    Paused {
        /// Which client.
        client: u8,
        /// From when on.
        from_us: Micros,
        /// Until when.
        to_us: Micros,
    },
    /// A write leaves its client.
    Sent {
        /// Which client.
        client: u8,
        /// To which resource.
        resource: u8,
        /// Under which token.
        token: FencingToken,
        /// When.
        at_us: Micros,
        /// When it arrives.
        arrives_us: Micros,
    },
    /// An acquire failed.
    Failed {
        /// Whose.
        client: u8,
        /// When.
        at_us: Micros,
        /// Why, for people.
        why: String,
    },
    /// From here on a node has this lock, or none.
    Lock {
        /// Which node.
        node: u8,
        /// Of which resource.
        resource: u8,
        /// Who has it.
        holder: Option<String>,
        /// Since when.
        at_us: Micros,
        /// When it expires, unless it is extended.
        expires_us: Micros,
    },
    /// From here on a node rests, or does not any more.
    Rests {
        /// Which node.
        node: u8,
        /// Whether.
        rests: bool,
        /// Since when.
        at_us: Micros,
    },
}
