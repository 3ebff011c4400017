//! The contestants: the same work, done by redfence, by another lock and by hand.

mod fan_out;
mod terms;

use std::time::Duration;

use redfence::{Builder, Clock as _, HandOver, Redlock, ReleaseOutcome, SystemClock};
use rslock::LockManager;
use serde::{Deserialize, Serialize};

use self::fan_out::FanOut;
use self::terms::PAUSE_MAX;
pub(crate) use self::terms::TTL;
use crate::outcome::Outcome;

/// The implementation that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Contestant {
    /// The raw fan-out: the plain way to do the same work.
    Limit,
    Rslock,
    Redfence(Form),
}

/// The settings of redfence for many tasks that want one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Form {
    /// Every section asks the nodes.
    Off,
    /// The default: leases pass in memory to tasks that waited already when the nodes were asked.
    Waited,
    /// Leases pass also to tasks that came later; then the order of tokens among processes depends on clocks.
    WithoutOrder,
}

impl Form {
    const ALL: &[Self] = &[Self::Off, Self::Waited, Self::WithoutOrder];

    fn apply(self, builder: Builder) -> Builder {
        builder.hand_over(match self {
            Self::Off => HandOver::Off,
            Self::Waited => HandOver::ToWaiters,
            Self::WithoutOrder => HandOver::WithoutOrder,
        })
    }

    /// Whether a lease is passed on inside a process, without the network.
    pub(crate) const fn hands_over(self) -> bool {
        !matches!(self, Self::Off)
    }
}

impl Contestant {
    /// Redfence with its defaults.
    pub(crate) const REDFENCE: Self = Self::Redfence(Form::Waited);
    /// The contestants if every task has its own resource.
    pub(crate) const ALONE: &[Self] = &[Self::Limit, Self::Rslock, Self::REDFENCE];

    /// The contestants if many tasks want one resource.
    pub(crate) fn contending() -> Vec<Self> {
        let forms = Form::ALL.iter().map(|form| Self::Redfence(*form));
        [Self::Limit, Self::Rslock].into_iter().chain(forms).collect()
    }

    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Limit => "raw fan-out",
            Self::Rslock => "rslock",
            Self::Redfence(Form::Waited) => "redfence",
            Self::Redfence(Form::Off) => "redfence, hand-over off",
            Self::Redfence(Form::WithoutOrder) => "redfence, without order",
        }
    }

    /// Connects to servers.
    pub(crate) async fn connect(self, urls: &[String]) -> Outcome<Locker> {
        Ok(match self {
            Self::Limit => Locker::Limit(FanOut::connect(urls).await?),
            Self::Rslock => {
                let mut manager = LockManager::new(urls.to_vec());
                // It waits until it has the lock, like the others.
                manager.set_retry(u32::MAX, PAUSE_MAX);
                Locker::Rslock(manager)
            }
            Self::Redfence(form) => {
                let builder = Redlock::builder().urls(urls.iter().cloned()).ttl(TTL).wait_max(WAIT_MAX);
                Locker::Redfence(form.apply(builder).connect().await?)
            }
        })
    }
}

/// Longer than any task waits here.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// A contestant with its connections.
#[derive(Clone)]
pub(crate) enum Locker {
    Limit(FanOut),
    Rslock(LockManager),
    Redfence(Redlock),
}

impl Locker {
    /// Acquires, however long that takes, and releases. Returns how long it waited for the lease.
    pub(crate) async fn section(&self, resource: &str) -> Outcome<Duration> {
        let began = SystemClock.now();
        let waited = || SystemClock.now().since(began);
        match self {
            Self::Limit(fan_out) => {
                let holder = fan_out.acquire(resource).await;
                let waited = waited();
                fan_out.release(resource, &holder).await;
                Ok(waited)
            }
            Self::Rslock(manager) => {
                let lock = manager.lock(resource, TTL).await?;
                let waited = waited();
                manager.unlock(&lock).await;
                Ok(waited)
            }
            Self::Redfence(redlock) => {
                let guard = redlock.acquire(resource).await?;
                let waited = waited();
                match guard.release().await {
                    ReleaseOutcome::Released { .. } | ReleaseOutcome::HandedOver => Ok(waited),
                    other => Err(format!("released, but {other:?}").into()),
                }
            }
        }
    }
}
