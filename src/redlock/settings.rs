//! [`Settings`]: the settings of leases, checked once.

use std::time::Duration;

use super::error::ConfigError;
use crate::Label;
use crate::protocol::Terms;

/// Whether a lease passes from one task of a process to the next without the network. Even then, every section has
/// its own guard, token and loss signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HandOver {
    /// Never: every section asks the nodes.
    Off,
    /// To tasks that already waited when the nodes were asked. Every promise still holds.
    #[default]
    ToWaiters,
    /// To tasks that came later, too. This is much faster if the same few tasks acquire again and again. But then the
    /// order of their tokens among those of other processes depends on clocks, as exclusion does. If the lock
    /// vanished from the nodes meanwhile, such a task may get a lower token than a lease that was returned before the
    /// task came. A verifier refuses that token.
    WithoutOrder,
}

/// How decisions about nodes are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) max_ttl: Duration,
    pub(crate) drift_ppm: u32,
    pub(crate) declared_new: bool,
    pub(crate) durable: bool,
    pub(crate) node_timeout: Duration,
}

/// The servers of a locker, and the settings of their connections.
#[cfg(feature = "redis")]
#[derive(Debug, Clone, Default)]
pub(crate) struct Servers {
    pub(crate) urls: Vec<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) key_style: crate::node::redis::KeyStyle,
    pub(crate) ca_file: Option<std::path::PathBuf>,
    pub(crate) client_certificate: Option<(std::path::PathBuf, std::path::PathBuf)>,
    pub(crate) server_name: Option<String>,
    pub(crate) dial_timeout: Option<Duration>,
    pub(crate) response_timeout: Option<Duration>,
}

/// The settings of leases.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Whether a lease keeps other holders out.
    pub(crate) exclusive: bool,
    pub(crate) terms: Terms,
    pub(crate) node_timeout: Duration,
    pub(crate) wait_max: Duration,
    pub(crate) max_hold: Option<Duration>,
    pub(crate) renewed: bool,
    pub(crate) label: Label,
    pub(crate) policy: Policy,
    pub(crate) hand_over: HandOver,
    /// For how many sections, and for how long, a process keeps a resource while others wait.
    pub(crate) turn_max: (u32, Duration),
}

/// What the user has set. `None` stands for a default that depends on the other settings.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) no_op: bool,
    pub(crate) ttl: Option<Duration>,
    pub(crate) drift_ppm: u32,
    pub(crate) min_validity: Option<Duration>,
    pub(crate) node_timeout: Option<Duration>,
    pub(crate) wait_max: Duration,
    pub(crate) max_hold: Option<Duration>,
    pub(crate) renewed: bool,
    pub(crate) label: Option<String>,
    pub(crate) max_ttl: Duration,
    pub(crate) declared_new: bool,
    pub(crate) durable: bool,
    pub(crate) hand_over: HandOver,
    pub(crate) turn_max: (u32, Duration),
}

impl Options {
    /// The defaults.
    pub(crate) const DEFAULT: Self = Self {
        no_op: false,
        ttl: None,
        drift_ppm: 10_000,
        min_validity: None,
        node_timeout: None,
        wait_max: Duration::from_secs(30),
        max_hold: Some(Duration::from_secs(3_600)),
        renewed: true,
        label: None,
        max_ttl: Duration::from_secs(30),
        declared_new: false,
        durable: false,
        hand_over: HandOver::ToWaiters,
        turn_max: (256, Duration::from_millis(5)),
    };
    /// The greatest drift that makes sense: a tenth of the time to live.
    const DRIFT_PPM_MAX: u32 = 100_000;
    /// The least time to live: below this, expiry in whole milliseconds is too coarse to measure against.
    const TTL_MIN: Duration = Duration::from_millis(10);
    /// The greatest time to live. After a crash, others wait this long.
    const TTL_MAX: Duration = Duration::from_secs(24 * 3_600);

    /// Checks the options against each other.
    pub(crate) fn check(&self) -> Result<Settings, ConfigError> {
        let ttl = self.ttl.unwrap_or_else(|| TTL.min(self.max_ttl));
        let ttl = Duration::from_millis(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        if ttl > Self::TTL_MAX {
            return Err(ConfigError::TtlTooLong { ttl, most: Self::TTL_MAX });
        }
        if self.max_ttl > Self::TTL_MAX {
            return Err(ConfigError::MaxTtlTooLong { max_ttl: self.max_ttl, most: Self::TTL_MAX });
        }
        if ttl > self.max_ttl {
            return Err(ConfigError::TtlAboveMax { ttl, max_ttl: self.max_ttl });
        }
        if self.drift_ppm > Self::DRIFT_PPM_MAX {
            return Err(ConfigError::DriftTooLarge { ppm: self.drift_ppm, most: Self::DRIFT_PPM_MAX });
        }
        let mut terms = Terms { ttl, drift_ppm: self.drift_ppm, min_validity: Duration::ZERO };
        let node_timeout = self.node_timeout.unwrap_or_else(|| NODE_TIMEOUT.min(ttl / 4));
        let validity = terms.validity(Duration::ZERO).unwrap_or_default();
        if ttl < Self::TTL_MIN || node_timeout.is_zero() || validity <= node_timeout {
            let least =
                Self::TTL_MIN.max(node_timeout.saturating_add(terms.drift()).saturating_add(Duration::from_millis(1)));
            return Err(ConfigError::TtlTooShort { ttl, node_timeout, least });
        }
        terms.min_validity = self.min_validity.unwrap_or(validity / 2);
        if terms.min_validity > validity {
            return Err(ConfigError::MinValidityTooLong { min_validity: terms.min_validity, validity });
        }
        if let Some(max_hold) = self.max_hold.filter(|max_hold| *max_hold < terms.min_validity) {
            return Err(ConfigError::MaxHoldTooShort { max_hold, min_validity: terms.min_validity });
        }
        let label = match &self.label {
            Some(label) => Label::new(label).map_err(ConfigError::Label)?,
            None => Label::of_this_process(),
        };
        let (wait_max, max_hold, renewed) = (self.wait_max, self.max_hold, self.renewed);
        let policy = Policy {
            max_ttl: self.max_ttl,
            drift_ppm: self.drift_ppm,
            declared_new: self.declared_new,
            durable: self.durable,
            node_timeout,
        };
        let (exclusive, hand_over, turn_max) = (!self.no_op, self.hand_over, self.turn_max);
        Ok(Settings { exclusive, terms, node_timeout, wait_max, max_hold, renewed, label, policy, hand_over, turn_max })
    }
}

/// The default time to live, unless `max_ttl` is less.
const TTL: Duration = Duration::from_secs(10);

/// How long a round waits for silent nodes. A hung node does not slow a healthy quorum, so this is only the time to
/// notice that there is no quorum: 2.5 % of the default time to live.
const NODE_TIMEOUT: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused_with_their_fix() {
        let ms = Duration::from_millis;
        let default = || Options::DEFAULT;
        for (options, expected) in [
            (Options { ttl: Some(ms(0)), ..default() }, Some("time to live")),
            (Options { ttl: Some(ms(9)), ..default() }, Some("time to live")),
            (Options { ttl: Some(ms(100)), node_timeout: Some(ms(100)), ..default() }, Some("node timeout")),
            (Options { min_validity: Some(ms(9_990)), ..default() }, Some("min_validity")),
            (Options { max_hold: Some(ms(1)), ..default() }, Some("max_hold")),
            (Options { drift_ppm: 200_000, ..default() }, Some("drift")),
            (Options { label: Some("\n".into()), ..default() }, Some("label")),
            (Options { ttl: Some(Duration::MAX), ..default() }, Some("time to live")),
            (Options { ttl: Some(Duration::MAX), max_ttl: Duration::MAX, ..default() }, Some("time to live")),
            (Options { max_ttl: Duration::MAX, ..default() }, Some("max_ttl")),
            (Options { node_timeout: Some(Duration::MAX), ..default() }, Some("node timeout")),
            (Options { node_timeout: Some(ms(0)), ..default() }, Some("node timeout")),
            (Options { min_validity: Some(Duration::MAX), ..default() }, Some("min_validity")),
            (Options { wait_max: Duration::MAX, max_hold: Some(Duration::MAX), ..default() }, None),
            (Options { ttl: Some(ms(50)), ..default() }, None),
            (Options { max_ttl: ms(2_000), ..default() }, None), // the default ttl is shortened to fit
            (Options { ttl: Some(ms(3_000)), max_ttl: ms(2_000), ..default() }, Some("max_ttl")),
            (default(), None),
        ] {
            let error = options.check().err().map(|error| error.to_string());
            match expected {
                Some(part) => assert!(error.as_ref().is_some_and(|e| e.contains(part)), "{options:?}: {error:?}"),
                None => assert_eq!(error, None),
            }
        }
    }
}
