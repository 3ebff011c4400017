//! The decisions of a reader: pure functions over an entry, and a random number.

use std::time::Duration;

use super::store::Entry;
use crate::FencingToken;

/// What a reader does with what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Return the value: it is fresh.
    Serve,
    /// Return the value, and compute a new one in the background.
    Refresh,
    /// There is no value: compute it, or wait for another task that does.
    Compute,
}

/// Decides. `percent` says how early values are refreshed, and `draw` is a random number, new for each reader.
pub(super) fn decide(found: Option<&Entry>, percent: u32, draw: u32) -> Decision {
    match found {
        Some(entry) if entry.ttl.is_zero() => Decision::Compute,
        Some(entry) if entry.ttl <= early(entry.took, percent, draw) => Decision::Refresh,
        Some(_) => Decision::Serve,
        None => Decision::Compute,
    }
}

/// How long before the end of its life one reader takes a value for old: an exponentially distributed time whose mean is
/// `percent` of the time that computing it took. So some reader most likely begins in time, and seldom many readers at once
/// (*XFetch*: Vattani, Chierichetti, Lowenstein, Optimal Probabilistic Cache Stampede Prevention, VLDB 2015).
fn early(took: Duration, percent: u32, draw: u32) -> Duration {
    let in_0_to_1 = (f64::from(draw) + 1.0) / (f64::from(u32::MAX) + 1.0);
    let factor = -in_0_to_1.ln() * f64::from(percent) / 100.0;
    Duration::try_from_secs_f64(took.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// Whether another task has written since this one saw the token `seen`, or no value at all.
pub(super) fn is_news(found: Option<&Entry>, seen: Option<FencingToken>) -> bool {
    found.is_some_and(|entry| Some(entry.token) != seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIKELY: u32 = u32::MAX / 2;

    fn entry(ttl_ms: u64, took_ms: u64) -> Entry {
        let [ttl, took] = [ttl_ms, took_ms].map(Duration::from_millis);
        Entry::new([].into(), FencingToken::new(7).unwrap(), ttl, took)
    }

    #[test]
    fn readers_serve_refresh_or_compute() {
        // Half of the readers begin ln 2, or 0.69, of the computing time before the end.
        for (ttl, took, percent, draw, decision) in [
            (1_000, 0, 100, 0, Decision::Serve),
            (0, 0, 100, 0, Decision::Compute),
            (0, 100, 0, 0, Decision::Compute),
            (70, 100, 100, LIKELY, Decision::Serve),
            (69, 100, 100, LIKELY, Decision::Refresh),
            (139, 100, 200, LIKELY, Decision::Serve),
            (138, 100, 200, LIKELY, Decision::Refresh),
            (1, 100, 0, 0, Decision::Serve),
            // The earliest of all: ln 2^32, or 22.18 times as long.
            (2_219, 100, 100, 0, Decision::Serve),
            (2_218, 100, 100, 0, Decision::Refresh),
            // The latest of all never comes before the end.
            (1, 100, 100, u32::MAX, Decision::Serve),
        ] {
            let found = entry(ttl, took);
            assert_eq!(decide(Some(&found), percent, draw), decision, "{ttl} {took} {percent} {draw}");
        }
        assert_eq!(decide(None, 100, 0), Decision::Compute);
        let longest = Entry::new([].into(), FencingToken::new(7).unwrap(), Entry::TTL_MAX, Duration::MAX);
        assert_eq!(decide(Some(&longest), u32::MAX, 0), Decision::Refresh);
    }

    #[test]
    fn news_is_what_was_written_under_another_token() {
        let (found, token) = (entry(1, 1), |n| FencingToken::new(n).ok());
        assert!(is_news(Some(&found), None) && is_news(Some(&found), token(6)));
        assert!(!is_news(Some(&found), token(7)) && !is_news(None, None) && !is_news(None, token(7)));
    }
}
