//! What may be set, from Python's keyword arguments.

use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use redfence::{Builder, ConfigError, KeyStyle, KeyStyleError, NodeId, Redlock};

/// From here on seconds are as good as without an end, and a `Duration` may not have them.
const HUGE: f64 = 1e18;

/// Seconds as Python has them. Infinity is as long as there is.
pub(crate) fn seconds(name: &str, seconds: f64) -> PyResult<Duration> {
    if seconds >= HUGE {
        return Ok(Duration::MAX);
    }
    let refusal =
        || PyValueError::new_err(format!("{name} is {seconds} s: it has to be a number of seconds, 0 or more"));
    Duration::try_from_secs_f64(seconds).map_err(|_| refusal())
}

/// How long a wait is at most that has no bound: longer than a process lives.
const ENDLESS: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// For how long a call waits.
pub(crate) fn wait_of(wait: f64) -> PyResult<Duration> {
    Ok(seconds("the time-out", wait)?.min(ENDLESS))
}

/// What one lock has otherwise than its client, as Python passes it: time to live, renewed, max_hold, label.
pub(crate) type Sort = (Option<f64>, Option<bool>, Option<f64>, Option<String>);

/// The settings of a client: those of [`Builder`], by the same names.
pub(crate) fn client(mut builder: Builder, settings: &Bound<'_, PyDict>) -> PyResult<Builder> {
    for (name, value) in settings {
        let name: String = name.extract()?;
        if value.is_none() && name != "max_hold" {
            continue;
        }
        let time = || seconds(&name, value.extract()?);
        builder = match name.as_str() {
            "ttl" => builder.ttl(time()?),
            "max_ttl" => builder.max_ttl(time()?),
            "wait_max" => builder.wait_max(time()?),
            "max_hold" => builder.max_hold(if value.is_none() { None } else { Some(time()?) }),
            "min_validity" => builder.min_validity(time()?),
            "node_timeout" => builder.node_timeout(time()?),
            "dial_timeout" => builder.dial_timeout(time()?),
            "response_timeout" => builder.response_timeout(time()?),
            "renewed" => builder.renewed(value.extract()?),
            "durable" => builder.durable(value.extract()?),
            "new_installation" => builder.new_installation(value.extract()?),
            "drift_ppm" => builder.drift_ppm(value.extract()?),
            "label" => builder.label(value.extract::<String>()?),
            "prefix" => builder.prefix(value.extract::<String>()?),
            "key_style" => builder.key_style(key_style(&value.extract::<String>()?)?),
            "anchor" => builder.anchor(Some(anchor(value.extract()?)?)),
            "server_name" => builder.server_name(value.extract::<String>()?),
            "ca_file" => builder.ca_file(value.extract::<String>()?),
            "client_certificate" => {
                let (certificate, key): (String, String) = value.extract()?;
                builder.client_certificate(certificate, key)
            }
            _ => return Err(PyTypeError::new_err(format!("there is no setting {name:?}"))),
        };
    }
    Ok(builder)
}

fn key_style(text: &str) -> PyResult<KeyStyle> {
    text.parse().map_err(|error: KeyStyleError| PyValueError::new_err(format!("key_style: {error}")))
}

/// Builder::build says whether there is such a node.
fn anchor(index: usize) -> PyResult<NodeId> {
    let refusal =
        || PyValueError::new_err(format!("anchor is {index}: name the node by its index among the nodes, from 0"));
    NodeId::new(index).ok_or_else(refusal)
}

/// What one lock may have otherwise than its client.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct LockSettings {
    pub(crate) ttl: Option<Duration>,
    pub(crate) renewed: Option<bool>,
    /// `Some(None)` is without an end.
    pub(crate) max_hold: Option<Option<Duration>>,
    pub(crate) label: Option<String>,
}

impl LockSettings {
    /// Seconds; a `max_hold` of infinity is without an end.
    pub(crate) fn of_sort((ttl, renewed, max_hold, label): Sort) -> PyResult<Self> {
        let max_hold = match max_hold {
            Some(f64::INFINITY) => Some(None),
            Some(max_hold) => Some(Some(seconds("max_hold", max_hold)?)),
            None => None,
        };
        Ok(Self { ttl: ttl.map(|ttl| seconds("ttl", ttl)).transpose()?, renewed, max_hold, label })
    }

    pub(crate) fn of(&self, redlock: &Redlock) -> Result<Redlock, ConfigError> {
        let mut redlock = redlock.clone();
        // The time to live is judged with the max_hold of this lock, not with the client's.
        if self.max_hold.is_some() {
            redlock = redlock.with_max_hold(None)?;
        }
        if let Some(ttl) = self.ttl {
            redlock = redlock.with_ttl(ttl)?;
        }
        if let Some(renewed) = self.renewed {
            redlock = redlock.with_renewed(renewed)?;
        }
        if let Some(max_hold) = self.max_hold {
            redlock = redlock.with_max_hold(max_hold)?;
        }
        if let Some(label) = &self.label {
            redlock = redlock.with_label(label)?;
        }
        Ok(redlock)
    }
}
