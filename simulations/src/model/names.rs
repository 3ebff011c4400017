//! How attempts and counters are written in traces.

use redfence::protocol::COUNTER_MIN;

/// A, B, C; numbers where letters end.
pub(super) fn name(attempt: usize) -> String {
    let letter = u8::try_from(attempt).ok().filter(|at| *at < 26).map(|at| char::from(b'A' + at));
    letter.map_or_else(|| format!("attempt {attempt}"), String::from)
}

/// A counter or a token in short form, counted from the start of counters.
pub(super) const fn number(counter: u64) -> u64 {
    counter.saturating_sub(COUNTER_MIN)
}
