//! A timeline as lines of text, in the order of time.

use std::fmt;

use super::{Lane, Mark, MarkKind, Span, SpanKind, Timeline};
use crate::history::Micros;

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<(Micros, Lane, String)> = Vec::new();
        for Span { lane, from_us, to_us, what } in &self.spans {
            let until = format!("until {}.{:03} ms", to_us / 1_000, to_us % 1_000);
            let story = match what {
                SpanKind::Lease { resource, token } => format!("holds {resource} with token {token} {until}"),
                SpanKind::ForeignHold { resource } => format!("holds {resource} by another library {until}"),
                SpanKind::Fault { long, .. } => format!("{long}, {until}"),
                SpanKind::Paused => format!("is paused {until}"),
                SpanKind::Lock { resource, holder, reserved } => match reserved {
                    true => format!("keeps {resource} for {holder} to come {until}"),
                    false => format!("has the lock of {resource} for {holder} {until}"),
                },
                SpanKind::Rest => format!("rests {until}"),
            };
            lines.push((*from_us, *lane, story));
        }
        for Mark { lane, at_us, what } in &self.marks {
            let story = match what {
                MarkKind::Sent { token, .. } => format!("sends a write with token {token}"),
                MarkKind::Written { token } => format!("written with token {token}"),
                MarkKind::Refused { token } => format!("refused the stale token {token}"),
                MarkKind::Failed { why } => format!("did not acquire: {why}"),
                MarkKind::Fault { long, .. } => long.clone(),
                MarkKind::Void { why } => format!("not promised any more: {why}"),
            };
            lines.push((*at_us, *lane, story));
        }
        lines.push((self.faults_end_us, Lane::Node(0), "all faults have ended".to_owned()));
        lines.sort();
        for (at_us, lane, story) in lines {
            let lane = match lane {
                Lane::Client(number) => format!("client {number}"),
                Lane::Node(number) => format!("node {number}"),
                Lane::Resource(number) => format!("resource {number}"),
            };
            writeln!(f, "{:>8}.{:03} ms  {lane:<11} {story}", at_us / 1_000, at_us % 1_000)?;
        }
        match &self.violation {
            Some(violation) => write!(f, "VIOLATED  {violation}"),
            None => f.write_str("every promise held"),
        }
    }
}
