//! The picture of one run of the demonstration: which actor had the lock, what was written, which nodes lived.

use std::time::Duration;

use redfence::FencingToken;

use super::fact::{Fact, Tone};
use super::figures::Summary;
use super::svg::{Anchor, Svg, WIDTH, seconds};
use super::timeline::RunRecord;
use super::world::TTL;

/// The columns of the picture: the right end of the times, and the centre of each actor.
const TIMES: u32 = 76;
const A: u32 = 112;
const B: u32 = 300;
const LEDGER: u32 = 516;
/// The left and the right end of the panel of the nodes.
const LANES: (u32, u32) = (90, WIDTH - 24);
const ROW: u32 = 29;
const LANE: u32 = 18;
const MARGIN: u32 = 20;

/// Draws the runs, with the nodes of the last one.
pub(super) fn draw(runs: &[RunRecord], nodes: &[String], needed: usize, summary: &Summary) -> String {
    let mut svg = Svg::new();
    let mut y = MARGIN;
    for run in runs {
        y = story(&mut svg, run, y);
    }
    if let Some(run) = runs.last() {
        y = lives(&mut svg, run, nodes, needed, y);
    }
    let figures = summary.to_string();
    let (counts, lost) = figures.rsplit_once(" · ").unwrap_or((&figures, ""));
    for line in [counts, lost] {
        svg.text((MARGIN, y + 14), Anchor::Start, "n", line);
        y += 20;
    }
    svg.finish(y + MARGIN / 2, "One run of redfence demo", &spoken(runs, &figures))
}

/// Draws the first act of one run: a row for each fact, and the result. Returns where the next panel begins.
fn story(svg: &mut Svg, run: &RunRecord, top: u32) -> u32 {
    let heading = if run.fenced {
        "With fencing: the ledger refuses a token below its highest"
    } else {
        "Without fencing: the ledger takes every write"
    };
    svg.text((MARGIN, top + 14), Anchor::Start, "h", heading);
    let names = top + 40;
    for (name, x) in [("A", A), ("B", B), ("ledger", LEDGER)] {
        svg.text((x, names), Anchor::Middle, "n", name);
    }
    svg.text((LEDGER + 34, names), Anchor::Start, "d", "balance");

    let rows = rows(run);
    let first = names + ROW;
    let y_of = |row: usize| first + u32::try_from(row).unwrap_or_default() * ROW;
    let place = |is: fn(&Row) -> bool| rows.iter().position(|(_, row)| is(row)).map(y_of);
    let bottom = y_of(rows.len()).saturating_sub(ROW - 8);
    for x in [A, B, LEDGER] {
        svg.down((x, names + 8), bottom - names - 8, "life");
    }
    let span = |from: Option<u32>, to: Option<u32>| Some((from? - 6, to? - from? + 8));
    let ends = place(|row| matches!(row, Row::LeaseEnds));
    if let Some((y, height)) = span(place(|row| matches!(row, Row::Fact(Fact::Acquires { .. }))), ends) {
        svg.bar(
            (A - 5, y),
            (10, height),
            "a",
            &token_title(run, "the lease of A", |f| matches!(f, Fact::Acquires { .. })),
        );
    }
    let paused = place(|row| matches!(row, Row::Fact(Fact::Pauses { .. })));
    if let Some((y, height)) = span(paused, place(|row| matches!(row, Row::Fact(Fact::Wakes)))) {
        svg.bar((A - 17, y), (7, height), "paused", "A is paused");
    }
    let begins = place(|row| matches!(row, Row::Fact(Fact::TakesOver { .. })));
    if let Some((y, height)) = span(begins, place(|row| matches!(row, Row::Fact(Fact::Updates { .. })))) {
        let title = token_title(run, "the lease of B", |f| matches!(f, Fact::TakesOver { .. }));
        svg.bar((B - 5, y), (10, height + 6), "b", &title);
    }
    if let Some(y) = place(|row| matches!(row, Row::Fact(Fact::UpdatesAgain { .. }))) {
        let title = token_title(run, "the next lease of A", |f| matches!(f, Fact::UpdatesAgain { .. }));
        svg.bar((A - 5, y - 8), (10, 16), "a", &title);
    }
    for (number, (at, row)) in rows.iter().enumerate() {
        let y = y_of(number);
        svg.text((TIMES, y + 4), Anchor::End, "d", seconds(*at));
        match row {
            Row::LeaseEnds => svg.text((A + 14, y + 4), Anchor::Start, "d", "its lease has ended"),
            Row::Fact(fact) => show(svg, fact, y),
        }
    }
    bottom + MARGIN
}

/// The content of a row.
enum Row<'a> {
    Fact(&'a Fact),
    /// The end of the time to live, which is no fact of its own.
    LeaseEnds,
}

/// The facts of the first act, and the end of the first lease, in the order of time.
fn rows(run: &RunRecord) -> Vec<(Duration, Row<'_>)> {
    let is_shown = |fact: &Fact| !matches!(fact, Fact::Dies { .. } | Fact::AreBack);
    let mut rows: Vec<_> =
        run.facts.iter().filter(|(_, fact)| is_shown(fact)).map(|(at, fact)| (*at, Row::Fact(fact))).collect();
    let acquired = run.facts.iter().find(|(_, fact)| matches!(fact, Fact::Acquires { .. }));
    if let Some((at, _)) = acquired {
        rows.push((*at + TTL, Row::LeaseEnds));
        rows.sort_by_key(|(at, _)| *at);
    }
    rows
}

/// Draws one fact, in few words.
fn show(svg: &mut Svg, fact: &Fact, y: u32) {
    let class = match fact.tone() {
        Tone::Plain => "",
        Tone::Good => "good",
        Tone::Bad => "bad",
    };
    let beside = |x: u32| (x + 14, y + 4);
    let (above, balance) = (y - 4, (LEDGER + 34, y + 4));
    match fact {
        Fact::Acquires { token } => {
            svg.text(beside(A), Anchor::Start, class, format_args!("acquires {}", short(*token)));
        }
        Fact::Reads { balance: read, .. } => {
            svg.arrow(LEDGER, A + 6, y);
            svg.text((A + 14, above), Anchor::Start, class, format_args!("reads {read}"));
            svg.text(balance, Anchor::Start, "n", read);
        }
        Fact::Pauses { .. } => svg.text(beside(A), Anchor::Start, class, "is paused"),
        Fact::TakesOver { token } => {
            svg.text(beside(B), Anchor::Start, class, format_args!("acquires {}", short(*token)));
        }
        Fact::Updates { read, .. } => {
            svg.arrow(B + 6, LEDGER, y);
            svg.text((B + 14, above), Anchor::Start, class, format_args!("reads {read}, writes {}", read + 1));
            svg.text(balance, Anchor::Start, "n", read + 1);
        }
        Fact::Wakes => svg.text(beside(A), Anchor::Start, class, "wakes"),
        Fact::WritesOldRead { balance, token } => {
            svg.arrow(A + 6, LEDGER, y);
            let text = format!("writes {balance}, with {}", short(*token));
            svg.text((A + 14, above), Anchor::Start, class, text);
        }
        Fact::Accepts { balance: left } => {
            svg.text((LEDGER - 12, y + 4), Anchor::End, class, "accepts it: the update of B is lost ✗");
            svg.text(balance, Anchor::Start, class, format_args!("{left}, not {}", left + 1));
        }
        Fact::Refuses { highest } => {
            let text = format!("refuses it: it has seen {} ✓", short(*highest));
            svg.text((LEDGER - 12, y + 4), Anchor::End, class, text);
        }
        Fact::UpdatesAgain { read, token } => {
            svg.arrow(A + 6, LEDGER, y);
            let text = format!("acquires {}, reads {read}, writes {}", short(*token), read + 1);
            svg.text((A + 14, above), Anchor::Start, class, text);
            svg.text(balance, Anchor::Start, class, read + 1);
        }
        Fact::Dies { .. } | Fact::AreBack => {}
    }
}

/// Draws the nodes of a run and every lease. Returns where the next panel begins.
fn lives(svg: &mut Svg, run: &RunRecord, nodes: &[String], needed: usize, top: u32) -> u32 {
    let heading = format!("Then nodes die; {needed} of {} are needed", nodes.len());
    svg.text((MARGIN, top + 14), Anchor::Start, "h", heading);
    let (left, right) = LANES;
    let first = top + 32;
    let x_of = |at: Duration| {
        let share = at.as_secs_f64() / run.ended.as_secs_f64().max(f64::MIN_POSITIVE);
        // A column between the two ends, in whole points.
        left + (share.min(1.0) * f64::from(right - left)) as u32
    };
    svg.text((TIMES, first + 11), Anchor::End, "d", "leases");
    let mut ticks: Vec<_> = run.leases.iter().map(|at| x_of(*at)).collect();
    ticks.dedup();
    svg.ticks(&ticks, first, 14, "tick");
    let back = run.facts.iter().find(|(_, fact)| matches!(fact, Fact::AreBack)).map(|(at, _)| *at);
    for (lane, name) in nodes.iter().enumerate() {
        let y = first + LANE * u32::try_from(lane + 1).unwrap_or_default();
        svg.text((TIMES, y + 13), Anchor::End, "d", format_args!("node {}", lane + 1));
        let died = run.facts.iter().find(|(_, fact)| matches!(fact, Fact::Dies { node, .. } if node == name));
        let end = x_of(died.map_or(run.ended, |(at, _)| *at));
        svg.bar((left, y + 4), (end.saturating_sub(left).max(1), 8), "node", name);
        if let (Some(_), Some(back)) = (died, back) {
            let from = x_of(back).min(right - 2);
            svg.text((end + 3, y + 13), Anchor::Start, "bad", "✗");
            svg.bar((from, y + 4), (right - from, 8), "node", name);
        }
    }
    let bottom = first + LANE * u32::try_from(nodes.len() + 1).unwrap_or_default() + 6;
    svg.across((left, bottom), right - left, "rest");
    svg.text((left, bottom + 15), Anchor::Start, "d", seconds(Duration::ZERO));
    let gap = "gaps: a paused worker has the lease; no quorum at the end";
    svg.text(((left + right) / 2, bottom + 15), Anchor::Middle, "d", gap);
    svg.text((right, bottom + 15), Anchor::End, "d", seconds(run.ended));
    bottom + 15 + MARGIN
}

/// The last digits of a token. The first digits are the time at which the counters began.
fn short(token: FencingToken) -> String {
    let digits = token.to_string();
    format!("token …{}", digits.get(digits.len().saturating_sub(4)..).unwrap_or(&digits))
}

fn token_title(run: &RunRecord, what: &str, is: fn(&Fact) -> bool) -> String {
    let token = run.facts.iter().find(|(_, fact)| is(fact)).and_then(|(_, fact)| fact.token());
    token.map_or_else(|| what.to_owned(), |token| format!("{what}, token {token}"))
}

/// The picture in words, for people who cannot see it.
fn spoken(runs: &[RunRecord], figures: &str) -> String {
    let mut words = String::new();
    for run in runs {
        words += if run.fenced { "With fencing: " } else { "Without fencing: " };
        for (at, fact) in &run.facts {
            words += &format!("{}: {} {fact}. ", seconds(*at), fact.actor());
        }
    }
    words + figures
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::demo::figures::Figures;

    #[test]
    fn names_of_nodes_cannot_break_the_drawing() {
        let node = "<script>&\"'".to_owned();
        let dies = Fact::Dies { node: node.clone(), alive: 0, all: 1, needed: 1 };
        let run = RunRecord {
            fenced: true,
            facts: vec![(Duration::from_millis(5), dies), (Duration::from_millis(6), Fact::AreBack)],
            leases: vec![Duration::ZERO],
            ended: Duration::from_millis(7),
        };
        let drawn = draw(&[run], &[node], 1, &Summary::of(&[] as &[Figures]));
        let parsed = roxmltree::Document::parse(&drawn).unwrap();
        assert!(!parsed.descendants().any(|element| element.has_tag_name("script")));
        assert!(parsed.descendants().any(|element| element.text() == Some("<script>&\"'")));
    }

    #[test]
    fn a_run_in_which_nothing_happened_is_drawn_as_well() {
        let run = RunRecord { fenced: false, facts: vec![], leases: vec![], ended: Duration::ZERO };
        assert!(roxmltree::Document::parse(&draw(&[run], &[], 1, &Summary::of(&[]))).is_ok());
    }
}
