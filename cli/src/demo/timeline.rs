//! [`Timeline`]: prints events as they happen, for people or for machines, and keeps those that are drawn.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anstyle::Style;
use redfence::{Clock as _, FencingToken, Moment, SystemClock};
use serde::Serialize;
use tokio::sync::Notify;

use super::fact::{Fact, Tone};
use crate::output::{BAD, DIM, GOOD, STRONG};
use crate::screen;

/// The output of the story.
pub(super) struct Timeline {
    json: bool,
    /// The width of the actors' column.
    actors: usize,
    unread: AtomicBool,
    hung_up: Notify,
}

/// The part of one run, with its own time.
pub(super) struct Chapter<'a> {
    timeline: &'a Timeline,
    fenced: bool,
    began: Moment,
    kept: Mutex<RunRecord>,
}

/// The drawn events of one run. Times count from its beginning.
#[derive(Debug, Clone, Default)]
pub(super) struct RunRecord {
    pub(super) fenced: bool,
    pub(super) facts: Vec<(Duration, Fact)>,
    /// When each lease was acquired.
    pub(super) leases: Vec<Duration>,
    pub(super) ended: Duration,
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    fencing: bool,
    at_ms: u128,
    actor: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<FencingToken>,
}

impl Timeline {
    pub(super) fn new(json: bool, urls: &[&str]) -> Self {
        // No address of these nodes is longer than its URL.
        let actors = urls.iter().map(|url| url.len()).max().unwrap_or_default().clamp(ACTORS.0, ACTORS.1);
        Self { json, actors, unread: AtomicBool::new(false), hung_up: Notify::new() }
    }

    pub(super) fn chapter(&self, fenced: bool) -> Chapter<'_> {
        let kept = Mutex::new(RunRecord { fenced, ..RunRecord::default() });
        Chapter { timeline: self, fenced, began: SystemClock.now(), kept }
    }

    /// Prints a line for people only.
    pub(super) fn text(&self, line: &str) {
        if !self.json {
            self.print(&screen::lines(line));
        }
    }

    /// Prints a line for machines only.
    pub(super) fn record(&self, record: &impl Serialize) {
        if let (true, Ok(line)) = (self.json, serde_json::to_string(record)) {
            self.print(&screen::json(&line));
        }
    }

    /// Completes when the reader of standard output has gone.
    pub(super) async fn unread(&self) {
        let hung_up = self.hung_up.notified();
        if !self.unread.load(Ordering::Relaxed) {
            hung_up.await;
        }
    }

    fn print(&self, line: &str) {
        let mut stdout = anstream::stdout().lock();
        if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
            self.unread.store(true, Ordering::Relaxed);
            self.hung_up.notify_waiters();
        }
    }
}

impl Chapter<'_> {
    pub(super) fn say(&self, actor: &str, tone: Tone, text: &str) {
        let _ = self.line(actor, tone, text, None);
    }

    /// Prints a fact, and keeps it for the picture.
    pub(super) fn happened(&self, fact: Fact) {
        let at = self.line(fact.actor(), fact.tone(), &fact.to_string(), fact.token());
        self.kept().facts.push((at, fact));
    }

    /// Notes that a lease was acquired now.
    pub(super) fn count_lease(&self) {
        let at = SystemClock.now().since(self.began);
        self.kept().leases.push(at);
    }

    /// The events to draw, up to now.
    pub(super) fn drawn(&self) -> RunRecord {
        RunRecord { ended: SystemClock.now().since(self.began), ..self.kept().clone() }
    }

    fn kept(&self) -> MutexGuard<'_, RunRecord> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn say_with_token(&self, actor: &str, tone: Tone, text: &str, token: FencingToken) {
        let _ = self.line(actor, tone, text, Some(token));
    }

    fn line(&self, actor: &str, tone: Tone, text: &str, token: Option<FencingToken>) -> Duration {
        let at = SystemClock.now().since(self.began);
        let (event, fencing) = ("timeline", self.fenced);
        self.timeline.record(&Line { event, fencing, at_ms: at.as_millis(), actor, text, token });
        let style = match tone {
            Tone::Plain => Style::new(),
            Tone::Good => GOOD,
            Tone::Bad => BAD,
        };
        let time = format!("{:>3}.{:03} s", at.as_secs(), at.subsec_millis());
        let token = token.map_or_else(String::new, |token| format!("  {DIM}token {token}{DIM:#}"));
        let actors = self.timeline.actors;
        let width = if token.is_empty() { 0 } else { TEXT_WIDTH };
        self.timeline.text(&format!(
            "{DIM}{time}{DIM:#}  {STRONG}{actor:<actors$}{STRONG:#} {style}{text:<width$}{style:#}{token}"
        ));
        at
    }
}

/// The least and the greatest width of the actors' column.
const ACTORS: (usize, usize) = (9, 24);
/// As wide as most lines, so that the tokens form a column.
const TEXT_WIDTH: usize = 64;
