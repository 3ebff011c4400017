//! [`ByteChannel`]: one direction of a connection. Bytes come out in the order in which they went in, or not at all.

use std::collections::VecDeque;
use std::fmt;

/// One direction of a connection.
#[derive(Default)]
pub(super) struct ByteChannel {
    /// What is on its way.
    pub(super) queue: VecDeque<Segment>,
    /// Bytes that wait for the end of a cut.
    pub(super) held: VecDeque<Segment>,
    /// Nothing arrives any more.
    pub(super) over: bool,
    last_ms: u64,
}

/// What is on its way.
pub(super) enum Segment {
    Bytes(Vec<u8>),
    /// The other end has closed.
    End,
    /// The connection is gone.
    Reset,
}

impl ByteChannel {
    /// When bytes arrive that would arrive at `at_ms` if nothing were before them.
    pub(super) fn arrives_ms(&mut self, at_ms: u64) -> u64 {
        self.last_ms = self.last_ms.max(at_ms);
        self.last_ms
    }

    /// Lets nothing that follows arrive earlier.
    pub(super) fn not_before(&mut self, at_ms: u64) {
        self.last_ms = self.last_ms.max(at_ms);
    }

    /// Bytes on their way are lost.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.held.clear();
        self.over = true;
    }
}

impl Segment {
    /// Splits at `at`, if there are bytes before it.
    pub(super) fn split(self, at: usize) -> (Self, Option<Self>) {
        match self {
            Self::Bytes(mut bytes) if at > 0 && at < bytes.len() => {
                let rest = bytes.split_off(at);
                (Self::Bytes(bytes), Some(Self::Bytes(rest)))
            }
            whole => (whole, None),
        }
    }
}

/// A short text that differs for different bytes.
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => {
                let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
                write!(f, "{} bytes {:08x}", bytes.len(), bytes.iter().fold(0x811c_9dc5, step))
            }
            Self::End => f.write_str("end"),
            Self::Reset => f.write_str("reset"),
        }
    }
}
