//! [`Backoff`]: how long to wait before the next attempt.

use std::time::Duration;

/// An endless iterator of waits. Its ceilings double, and *full jitter* spreads the waits below them, so that
/// contenders that collided once do not collide again. The ceiling is capped before the jitter. The caller passes the
/// chance.
///
/// ```
/// use std::time::Duration;
/// use redfence::protocol::Backoff;
///
/// let no_luck = || u32::MAX;
/// let waits: Vec<_> = Backoff::new(Duration::from_millis(4), Duration::from_millis(10), no_luck).take(3).collect();
/// assert!(waits[0] <= Duration::from_millis(4) && waits[2] <= Duration::from_millis(10));
/// ```
#[derive(Debug, Clone)]
pub struct Backoff<Jitter> {
    ceiling: Duration,
    cap: Duration,
    jitter: Jitter,
}

impl<Jitter: FnMut() -> u32> Backoff<Jitter> {
    /// The shortest wait, for any jitter: a retry is never a busy loop.
    pub const FLOOR: Duration = Duration::from_millis(1);

    /// Ceilings double from `base` to `cap`. `jitter` is called once for each wait and must be uniform over `u32`.
    pub const fn new(base: Duration, cap: Duration, jitter: Jitter) -> Self {
        Self { ceiling: base, cap, jitter }
    }
}

impl<Jitter: FnMut() -> u32> Iterator for Backoff<Jitter> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let ceiling = self.ceiling.min(self.cap);
        self.ceiling = ceiling.saturating_mul(2);
        let nanos = (ceiling.as_nanos() * u128::from((self.jitter)())) >> u32::BITS;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).max(Self::FLOOR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_the_cap_and_jitter_covers_them() {
        let ms = Duration::from_millis;
        let half = Backoff::new(ms(10), ms(50), || 1 << 31);
        assert_eq!(half.take(5).collect::<Vec<_>>(), [ms(5), ms(10), ms(20), ms(25), ms(25)]);
        let none = Backoff::new(ms(10), ms(50), || 0);
        assert_eq!(none.take(2).collect::<Vec<_>>(), [ms(1), ms(1)]);
        let zero = Backoff::new(ms(0), ms(0), || u32::MAX);
        assert_eq!(zero.take(2).collect::<Vec<_>>(), [ms(1), ms(1)]);
    }
}
