//! Draws a snapshot.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table};
use redfence::{Moment, Printable};

use super::keys::Act;
use super::snapshot::{Lock, Snapshot};
use crate::words::node;

/// What is shown, and from which lock on.
pub(super) struct View<'a> {
    prefix: &'a str,
    pub(super) snapshot: Option<Snapshot>,
    first: usize,
    /// How many locks fitted on the screen.
    page: usize,
    has_colour: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(prefix: &'a str) -> Self {
        let has_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { prefix, snapshot: None, first: 0, page: 1, has_colour }
    }

    /// Moves through the locks.
    pub(super) fn obey(&mut self, act: Act) {
        let step = |by: i32, times: usize| isize::try_from(by).unwrap_or_default() * times.cast_signed();
        let by = match act {
            Act::Lines(by) => step(by, 1),
            Act::Pages(by) => step(by, self.page),
            Act::First => isize::MIN,
            Act::Last => isize::MAX,
            Act::Nothing | Act::End => 0,
        };
        let count = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.locks.len());
        self.first = self.first.saturating_add_signed(by).min(count.saturating_sub(self.page));
    }

    const fn style(&self, style: Style) -> Style {
        if self.has_colour { style } else { Style { fg: None, ..style } }
    }
}

const BAD: Style = Style::new().fg(Color::Red).bold();
const GOOD: Style = Style::new().fg(Color::Green);
const DIM: Style = Style::new().dim();
const STRONG: Style = Style::new().bold();

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, view: &mut View<'_>, now: Moment) {
    let nodes = view.snapshot.as_ref().map_or(0, |snapshot| snapshot.nodes.len());
    let nodes_height = u16::try_from(nodes + 2).unwrap_or(u16::MAX).min(frame.area().height / 2);
    let heights = [Constraint::Length(1), Constraint::Length(nodes_height), Constraint::Fill(1), Constraint::Length(1)];
    let [title, above, below, foot] = Layout::vertical(heights).areas(frame.area());
    view.page = usize::from(below.height.saturating_sub(1)).max(1);
    view.obey(Act::Nothing);
    let Some(snapshot) = &view.snapshot else {
        return frame.render_widget(Paragraph::new("redfence top: asking the nodes …"), title);
    };
    frame.render_widget(heading(view, snapshot), title);
    frame.render_widget(node_table(view, snapshot, above.width), above);
    frame.render_widget(lock_table(view, snapshot, now, below.width), below);
    let told = match &snapshot.partial {
        Some(partial) => Line::styled(format!("this is not all: {}", Printable(&partial.to_string())), view.style(BAD)),
        None => Line::styled("q ends   ↑ ↓ PgUp PgDn move", DIM),
    };
    frame.render_widget(told, foot);
}

fn heading<'a>(view: &View<'_>, snapshot: &Snapshot) -> Line<'a> {
    let ready = snapshot.nodes.iter().filter(|node| node.is_ready).count();
    let (nodes, needed, locks) = (snapshot.nodes.len(), snapshot.needed, snapshot.locks.len());
    let noun = if locks == 1 { "lock" } else { "locks" };
    let which = if view.prefix.is_empty() { String::new() } else { format!(" under \"{}\"", Printable(view.prefix)) };
    let quorum = if snapshot.has_quorum { "" } else { "   no quorum: what is held is not known" };
    let text = format!("redfence   {ready} of {nodes} nodes ready, {needed} needed   {locks} {noun}{which}{quorum}");
    Line::styled(text, if snapshot.has_quorum { STRONG } else { view.style(BAD) })
}

/// A column: its heading, its width, and the width that the terminal must have to show it.
type Column = (&'static str, Constraint, u16);

const NODE_COLUMNS: [Column; 4] = [
    ("node", Constraint::Fill(2), 0),
    ("round trip", Constraint::Length(10), 80),
    ("clock", Constraint::Length(12), 80),
    ("state", Constraint::Fill(3), 0),
];
const LOCK_COLUMNS: [Column; 7] = [
    ("resource", Constraint::Fill(3), 0),
    ("holder", Constraint::Length(9), 100),
    ("label", Constraint::Fill(2), 0),
    ("time left", Constraint::Length(9), 0),
    ("nodes", Constraint::Length(8), 0),
    ("waiting", Constraint::Length(7), 0),
    ("next", Constraint::Fill(2), 80),
];

/// A table of the columns for which the terminal is wide enough.
fn table<'a, const N: usize>(columns: [Column; N], rows: impl Iterator<Item = [Cell<'a>; N]>, width: u16) -> Table<'a> {
    let fits = |(_, _, least): &Column| width >= *least;
    let row = |cells: [Cell<'a>; N]| {
        let cells = columns.iter().zip(cells).filter(|(column, _)| fits(column)).map(|(_, cell)| cell);
        Row::new(cells.collect::<Vec<_>>())
    };
    let header = Row::new(columns.iter().filter(|column| fits(column)).map(|(heading, ..)| *heading)).style(DIM);
    let widths = columns.iter().filter(|column| fits(column)).map(|(_, width, _)| *width);
    Table::new(rows.map(row), widths).header(header).column_spacing(2)
}

fn node_table<'a>(view: &View<'_>, snapshot: &Snapshot, width: u16) -> Table<'a> {
    let rows = snapshot.nodes.iter().map(|node| {
        let standing = Cell::new(node.standing.clone()).style(view.style(if node.is_ready { GOOD } else { BAD }));
        let [address, round_trip, clock] =
            [&node.address, &node.round_trip, &node.clock_offset].map(|text| Cell::new(text.clone()));
        [address, round_trip, clock, standing]
    });
    table(NODE_COLUMNS, rows, width)
}

fn lock_table<'a>(view: &View<'_>, snapshot: &Snapshot, now: Moment, width: u16) -> Table<'a> {
    let since = now.since(snapshot.at);
    let row = |lock: &Lock| {
        let left = lock.listed.ttl_left.map(|left| node::seconds(left.saturating_sub(since)));
        let (on, nodes) = (lock.listed.nodes, snapshot.nodes.len());
        let style = view.style(if on >= snapshot.needed { GOOD } else { BAD });
        let (waiting, next) = match &lock.queue {
            Some(queue) => (queue.waiting.to_string(), queue.next.as_deref().unwrap_or("-")),
            None => ("?".to_owned(), "?"),
        };
        [
            Cell::new(Printable(lock.listed.resource.as_str()).to_string()).style(STRONG),
            Cell::new(lock.holder.clone()),
            Cell::new(Printable(&lock.label).to_string()),
            Cell::new(left.unwrap_or_else(|| "no end".to_owned())),
            Cell::new(format!("{on} of {nodes}")).style(style),
            Cell::new(waiting),
            Cell::new(Printable(next).to_string()),
        ]
    };
    table(LOCK_COLUMNS, snapshot.locks.iter().skip(view.first).take(view.page).map(row), width)
}
