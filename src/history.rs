//! Records leases and writes, so that a check afterwards can tell whether every promise held.
//!
//! <div class="warning">
//!
//! **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
//!
//! </div>
//!
//! [`HistoryLayer`] is a layer for `tracing`. It writes one line of JSON for each lease that is acquired, extended, resumed
//! or ended, and for each write that a resource server reports with [`write()`]. `simulations check FILE` reads such a
//! file. It reports whether tokens were unique and ordered, whether two holders ever believed in the same lock at one
//! time, and whether a stale write was admitted.
//!
//! Times are microseconds of the machine's wall clock. You can join the files of several machines (`cat`, then `sort`
//! by time); the result is as exact as their clocks agree. Several processes of one machine can append to one file.
//!
//! ```no_run
//! use redfence::history::HistoryLayer;
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! let file = std::fs::File::options().create(true).append(true).open("history.jsonl")?;
//! tracing::subscriber::set_global_default(tracing_subscriber::registry().with(HistoryLayer::new(file)))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::redlock::lease::events::TARGET;
use crate::verifier::Verdict;
use crate::{Clock, FencingToken, Resource, SystemClock};

/// Reports to the history that a resource server judged a write.
pub fn write(resource: &Resource, token: FencingToken, verdict: Verdict) {
    let (token, admitted) = (token.get(), verdict == Verdict::Admitted);
    tracing::debug!(target: TARGET, event = "write", %resource, token, admitted);
}

/// Writes a history, one record a line. It ignores all events but those of [`write()`] and of leases.
pub struct HistoryLayer<W> {
    to: Mutex<W>,
    clock: Arc<dyn Clock>,
}

impl<W: Write + Send + 'static> HistoryLayer<W> {
    /// Writes to `to`, one whole line at a time. A line that cannot be written is dropped.
    #[must_use]
    pub fn new(to: W) -> Self {
        Self { to: Mutex::new(to), clock: Arc::new(SystemClock) }
    }

    /// Takes the time from another clock than the machine's. For tests and simulations.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl<W: Write + Send + 'static, S: tracing::Subscriber> Layer<S> for HistoryLayer<W> {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let record = fields.into_record(self.clock.wall().unix_us());
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        // A history that cannot be written must not stop a holder.
        let _ = to.write_all(format!("{}\n", Value::Object(record)).as_bytes()).and_then(|()| to.flush());
    }
}

impl<W> fmt::Debug for HistoryLayer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryLayer").finish_non_exhaustive()
    }
}

/// The fields of one event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    /// Converts durations to points in time, and tokens to strings, which is their form in all JSON.
    fn into_record(mut self, now_us: u64) -> Map<String, Value> {
        let mut taken = |name: &str| self.0.remove(name).and_then(|value| value.as_u64());
        let (took, valid_for, token) = (taken("took_us"), taken("valid_for_us"), taken("token"));
        let mut put = |name: &str, value: Option<Value>| value.map(|value| self.0.insert(name.to_owned(), value));
        put("at_us", Some(now_us.into()));
        put("began_us", took.map(|took| now_us.saturating_sub(took).into()));
        put("valid_until_us", valid_for.map(|valid_for| now_us.saturating_add(valid_for).into()));
        put("token", token.map(|token| token.to_string().into()));
        self.0
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}
