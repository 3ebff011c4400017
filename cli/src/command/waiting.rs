//! Shows on a terminal what a wait is for: who holds the lock, and how many wait before this program.

use std::convert::Infallible;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use redfence::admin::{Agreement, Inspection};
use redfence::{Clock as _, Moment, Occupant, Printable, Redlock, Resource, SystemClock};
use tracing::level_filters::LevelFilter;

use crate::output::Output;
use crate::words::node;

/// A wait that is shorter shows nothing.
const SHORT: Duration = Duration::from_millis(300);
/// How often the spinner moves, and after how many of its steps the nodes are asked again.
const STEP: Duration = Duration::from_millis(100);
const STEPS: u32 = 5;

/// Shows the wait for `resource` in one line on stderr, until it is dropped. Shows nothing unless stderr is a terminal.
pub(super) async fn show(redlock: &Redlock, resource: &Resource, output: Output) -> Infallible {
    let is_logged = LevelFilter::current() >= LevelFilter::INFO;
    if output.json || is_logged || !io::stderr().is_terminal() || !is_in_foreground() {
        return std::future::pending().await;
    }
    let began = SystemClock.now();
    tokio::time::sleep(SHORT).await;
    let line = Line::new();
    let mut seen = Seen::default();
    loop {
        if let Ok(inspection) = redlock.admin().inspect(resource).await {
            let (now, report) = (SystemClock.now(), Report::of(&inspection));
            let held_for = seen.for_how_long(&report, now);
            line.0.set_message(text(resource, &report, now.since(began), held_for));
        }
        for _ in 0..STEPS {
            // In the background the line would run into the output of others.
            if is_in_foreground() {
                line.0.tick();
            }
            tokio::time::sleep(STEP).await;
        }
    }
}

/// A line that is removed when it is dropped.
struct Line(ProgressBar);

impl Line {
    fn new() -> Self {
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // Without a style there is no colour.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            line.set_style(style);
        }
        Self(line)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What the nodes report about a lock, as far as a wait needs it.
struct Report {
    /// The occupant, and how long the lock lives unless it is extended. `None` if no majority has one holder.
    held: Option<(Occupant, Option<Duration>)>,
    is_free: bool,
    /// How many wait, and how many of them before this program.
    waiting: u32,
    place: Option<u32>,
}

impl Report {
    fn of(inspection: &Inspection) -> Self {
        let views = || inspection.rows.iter().filter_map(|row| row.view.as_ref().ok());
        let held = match inspection.agreement() {
            Agreement::HeldBy(holder) => {
                let of_holder = views().filter(|view| view.lock.held_by() == Some(&holder));
                let left = of_holder.filter_map(|view| view.ttl_left).max();
                Some((holder, left))
            }
            _ => None,
        };
        let is_free = inspection.agreement() == Agreement::Free;
        let waiting = views().map(|view| view.waiting).max().unwrap_or_default();
        Self { held, is_free, waiting, place: inspection.place() }
    }
}

/// Since when this program has seen the same holder.
#[derive(Default)]
struct Seen(Option<(Occupant, Moment)>);

impl Seen {
    fn for_how_long(&mut self, report: &Report, now: Moment) -> Duration {
        let Some((holder, _)) = &report.held else { return Duration::ZERO };
        let since = match &self.0 {
            Some((known, since)) if known == holder => *since,
            _ => now,
        };
        self.0 = Some((holder.clone(), since));
        now.since(since)
    }
}

fn text(resource: &Resource, report: &Report, waited: Duration, held_for: Duration) -> String {
    let mut text = format!("waiting {} s for {}: ", waited.as_secs(), Printable(resource.as_str()));
    match &report.held {
        Some((holder, left)) => {
            let left = left.map_or_else(|| "no end".to_owned(), |left| format!("{} left", node::seconds(left)));
            text += &format!("held by {holder} for {} s or longer, {left}", held_for.as_secs());
        }
        None if report.is_free => text += "free",
        None => text += "no majority has one holder",
    }
    match (report.place, report.waiting) {
        (Some(0), waiting) => text += &format!("; next of {waiting} in the queue"),
        (Some(place), waiting) => text += &format!("; {place} before this one, {waiting} in the queue"),
        (None, _) => {}
    }
    text
}

/// Whether this program may write to the terminal of stderr as its user expects.
fn is_in_foreground() -> bool {
    match rustix::termios::tcgetpgrp(io::stderr()) {
        Ok(group) => group == rustix::process::getpgrp(),
        // Not its controlling terminal: there is no job control.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use redfence::Holder;

    use super::*;

    fn held(id: &str, place: Option<u32>) -> Report {
        let holder: Holder = format!("{} db-7:1", id.repeat(16)).parse().unwrap();
        let held = Some((holder.into(), Some(Duration::from_millis(8_450))));
        Report { held, is_free: false, waiting: 3, place }
    }

    fn not_held(is_free: bool, place: Option<u32>) -> Report {
        Report { held: None, is_free, waiting: 3, place }
    }

    #[test]
    fn the_line_names_the_holder_and_the_place() {
        let s = Duration::from_secs;
        for (report, expected) in [
            (
                held("ab", Some(2)),
                "waiting 12 s for a\\u{202e}b: held by abababab… db-7:1 for 7 s or longer, 8.4 s left; \
                 2 before this one, 3 in the queue",
            ),
            (not_held(true, Some(0)), "waiting 12 s for a\\u{202e}b: free; next of 3 in the queue"),
            (not_held(false, None), "waiting 12 s for a\\u{202e}b: no majority has one holder"),
        ] {
            assert_eq!(text(&Resource::new("a\u{202e}b").unwrap(), &report, s(12), s(7)), expected);
        }
    }

    #[test]
    fn the_time_of_a_holder_begins_again_with_the_next() {
        let at = |s| Moment::from_origin(Duration::from_secs(s));
        let mut seen = Seen::default();
        for (holder, now, expected) in [("ab", 5, 0), ("ab", 9, 4), ("cd", 10, 0), ("cd", 12, 2)] {
            assert_eq!(seen.for_how_long(&held(holder, None), at(now)).as_secs(), expected, "{now}");
        }
        assert_eq!(seen.for_how_long(&not_held(true, None), at(13)), Duration::ZERO);
    }
}
