//! [`Output`]: prints results, for people or for machines.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use unicode_width::UnicodeWidthStr as _;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen;

/// Errors and dangers.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Success.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Details of less importance.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Names and headings.
pub(crate) const STRONG: Style = Style::new().bold();

/// The output of a command. Colour is used only on a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints the result of a command: `human` for people, `machine` for `--json`.
    ///
    /// # Errors
    ///
    /// The reader has gone. The command decides whether that matters.
    pub(crate) fn result(self, human: &str, machine: &impl Serialize) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        match self.json {
            true => writeln!(stdout, "{}", screen::json(&serde_json::to_string(machine)?))?,
            false => writeln!(stdout, "{}", screen::lines(human))?,
        }
        stdout.flush()
    }

    /// Prints an event: a line on stderr with `--json`.
    pub(crate) fn event(self, machine: &impl Serialize) {
        if let (true, Ok(line)) = (self.json, serde_json::to_string(machine)) {
            complain(&screen::json(&line));
        }
    }

    /// Prints a note for people: a line on stderr without `--json`.
    pub(crate) fn note(self, human: &str) {
        if !self.json {
            complain(&screen::lines(&format!("{BAD}redfence:{BAD:#} {human}")));
        }
    }

    /// Prints a failure with its evidence, and returns its exit.
    pub(crate) fn failure(self, failure: &Failure) -> Exit {
        let Failure { exit, message, votes, is_all_said } = failure;
        let nodes = votes.iter().map(|(address, vote)| FailureNode { address, vote }).collect();
        self.event(&FailureEvent { event: "failed", reason: exit.reason(), exit_code: exit.code(), message, nodes });
        self.note(message);
        if !(self.json || *is_all_said || votes.is_empty()) {
            let rows = votes.iter().map(|(address, vote)| vec![format!("  {address}"), vote.clone()]);
            complain(&screen::lines(&table(&rows.collect::<Vec<_>>())));
        }
        *exit
    }
}

#[derive(Serialize)]
struct FailureEvent<'a> {
    event: &'static str,
    reason: &'static str,
    exit_code: u8,
    message: &'a str,
    nodes: Vec<FailureNode<'a>>,
}

#[derive(Serialize)]
struct FailureNode<'a> {
    address: &'a str,
    vote: &'a str,
}

/// Makes a table. Each column is as wide as its widest cell; no line ends with a space.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    // The widths are those of the shown texts: escapes are longer than the characters that they replace, and a cell
    // has no line end.
    let shown = |cell: &String| screen::lines(&cell.replace('\n', "\\n"));
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    // The last cell of a row needs no width, so a long sentence does not widen the column of other rows.
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| column + 1 < row.len()).filter_map(|row| row.get(column));
        cells.map(|cell| cell.width()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines = rows.iter().map(|row| {
        let padded =
            |(cell, width): (&String, &usize)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())));
        let cells = row.iter().zip(&widths).map(padded);
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Prints the library's log, at the level that was asked for.
pub(crate) fn log_to_stderr(verbose: u8) {
    let by_environment = || std::env::var("REDFENCE_LOG").ok()?.parse::<LevelFilter>().ok();
    let level = match verbose {
        0 => by_environment(),
        1 => Some(LevelFilter::INFO),
        2 => Some(LevelFilter::DEBUG),
        _ => Some(LevelFilter::TRACE),
    };
    let colour = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let lines = tracing_subscriber::fmt::layer().with_writer(screen::Log).with_ansi(colour);
    let registry = tracing_subscriber::registry();
    match level {
        Some(level) => registry.with(lines.with_filter(level)).init(),
        // The user must see a wrong declaration in any case.
        None => {
            let told = Targets::new().with_target("redfence::redlock::membership::durability", LevelFilter::WARN);
            registry.with(lines.without_time().with_target(false).with_filter(told)).init();
        }
    }
}

fn complain(line: &str) {
    // If stderr is closed, nothing can be reported.
    let _ = writeln!(anstream::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_tail() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let rows =
            [row(&["node", "holder", "left"]), row(&["a:1", "3f2a…", "9 s"]), row(&["long:2", "unreachable, sadly"])];
        assert_eq!(table(&rows), "node    holder  left\na:1     3f2a…   9 s\nlong:2  unreachable, sadly");
    }

    #[test]
    fn r13_columns_are_aligned_as_they_are_shown() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let rows = [row(&["a\u{200b}\nb", "1"]), row(&["日本", "2"]), row(&["x", "3"])];
        let lines =
            [r"a\u{200b}\nb  1".to_owned(), format!("日本{}2", " ".repeat(10)), format!("x{}3", " ".repeat(13))];
        assert_eq!(table(&rows), lines.join("\n"));
    }
}
