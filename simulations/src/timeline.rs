//! [`Timeline`]: a run as a picture: who held what when, what was wrong when, what was refused. As data; others draw it.

use serde::Serialize;

use crate::farm::Outcome;
use crate::history::{Micros, Record};
use crate::invariant::Violation;
use crate::plan::{Blow, Plan};

/// A run as a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// When it ended.
    pub ends_us: Micros,
    /// When all faults had ended.
    pub calm_us: Micros,
    /// Clients, nodes and resources, from top to bottom.
    pub lanes: Vec<Lane>,
    /// What lasted for a while.
    pub spans: Vec<Span>,
    /// What happened at an instant.
    pub marks: Vec<Mark>,
    /// The first promise that was broken.
    pub violation: Option<String>,
    /// When it showed.
    pub violation_us: Option<Micros>,
}

/// One line of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", content = "number", rename_all = "snake_case")]
pub enum Lane {
    /// A client.
    Client(u8),
    /// A node.
    Node(u8),
    /// A guarded resource.
    Resource(u8),
}

/// Something that lasted for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Where.
    pub lane: Lane,
    /// From when on.
    pub from_us: Micros,
    /// Until when.
    pub to_us: Micros,
    /// What.
    pub what: SpanKind,
}

/// What lasted for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SpanKind {
    /// A client believed in a lease.
    Lease {
        /// Of which resource.
        resource: String,
        /// Its token.
        token: u64,
    },
    /// Something was wrong.
    Fault {
        /// What, for people.
        name: String,
    },
}

/// Something that happened at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Where.
    pub lane: Lane,
    /// When.
    pub at_us: Micros,
    /// What.
    pub what: MarkKind,
}

/// What happened at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MarkKind {
    /// A write was let through.
    Written {
        /// Its token.
        token: u64,
    },
    /// A write was refused as stale.
    Refused {
        /// Its token.
        token: u64,
    },
    /// A fault that is over at once.
    Fault {
        /// What, for people.
        name: String,
    },
    /// Something that a promise relies on is not so.
    Void {
        /// What, for people.
        why: String,
    },
}

impl Timeline {
    /// The picture of a run.
    #[must_use]
    pub fn of(plan: &Plan, outcome: &Outcome) -> Self {
        let clients = (0..).zip(&plan.clients).map(|(number, _)| Lane::Client(number));
        let nodes = (0..).zip(&plan.nodes).map(|(number, _)| Lane::Node(number));
        let lanes = clients.chain(nodes).chain((0..plan.resources).map(Lane::Resource)).collect();
        let mut timeline = Self {
            ends_us: outcome.ended_us,
            calm_us: u64::from(plan.calm_at_ms) * 1_000,
            lanes,
            spans: Vec::new(),
            marks: Vec::new(),
            violation: outcome.violation().map(Violation::to_string),
            violation_us: outcome.violation().map(|violation| violation.at_us),
        };
        timeline.add_faults(plan);
        timeline.add_leases(outcome);
        timeline.add_marks(outcome);
        timeline.spans.sort_by_key(|span| (span.from_us, span.lane));
        timeline.marks.sort_by_key(|mark| (mark.at_us, mark.lane));
        timeline
    }

    fn add_faults(&mut self, plan: &Plan) {
        for fault in &plan.faults {
            let (from_us, name) = (u64::from(fault.at_ms) * 1_000, format!("{:?}", fault.blow));
            for lane in self.struck(&fault.blow) {
                match fault.blow.lasts_ms() {
                    Some(for_ms) => {
                        let to_us = (from_us + u64::from(for_ms) * 1_000).min(self.calm_us.max(from_us));
                        self.spans.push(Span { lane, from_us, to_us, what: SpanKind::Fault { name: name.clone() } });
                    }
                    None => {
                        self.marks.push(Mark { lane, at_us: from_us, what: MarkKind::Fault { name: name.clone() } });
                    }
                }
            }
        }
    }

    /// Where a fault is drawn: at its node if it has one, else at its client; what concerns all, at all nodes.
    fn struck(&self, blow: &Blow) -> Vec<Lane> {
        let all = |is: fn(&Lane) -> bool| self.lanes.iter().copied().filter(is).collect();
        match *blow {
            Blow::Lossy { client, node, .. } | Blow::Slow { client, node, .. } | Blow::Cut { client, node, .. } => {
                match (client, node) {
                    (_, Some(node)) => vec![Lane::Node(node)],
                    (Some(client), None) => vec![Lane::Client(client)],
                    (None, None) => all(|lane| matches!(lane, Lane::Node(_))),
                }
            }
            Blow::Hang { node, .. }
            | Blow::Crash { node, .. }
            | Blow::Snapshot { node }
            | Blow::Flush { node }
            | Blow::DropCounter { node, .. }
            | Blow::Evict { node, .. }
            | Blow::Evicting { node, .. }
            | Blow::NodeClock { node, .. } => vec![Lane::Node(node)],
            Blow::Pause { client, .. } | Blow::Reboot { client, .. } | Blow::ClientClock { client, .. } => {
                vec![Lane::Client(client)]
            }
            Blow::SlowStore { .. } => all(|lane| matches!(lane, Lane::Resource(_))),
        }
    }

    fn add_leases(&mut self, outcome: &Outcome) {
        for stay in outcome.history.stays() {
            let label = stay.holder.split_once(' ').map(|(_, label)| label);
            let number = label.and_then(|label| label.strip_prefix('c')?.split('.').next()?.parse().ok());
            let Some(number) = number else { continue };
            self.spans.push(Span {
                lane: Lane::Client(number),
                from_us: stay.returned_us,
                to_us: stay.until_us.min(self.ends_us),
                what: SpanKind::Lease { resource: stay.resource, token: stay.token.get() },
            });
        }
    }

    fn add_marks(&mut self, outcome: &Outcome) {
        for record in &outcome.history.records {
            let mark = match record {
                Record::Write { at_us, resource, token, admitted } => {
                    let token = token.get();
                    let what = if *admitted { MarkKind::Written { token } } else { MarkKind::Refused { token } };
                    number(resource, 'r').map(|number| Mark { lane: Lane::Resource(number), at_us: *at_us, what })
                }
                Record::Vanished { at_us, holder, node } => number(node, 'n').map(|number| {
                    let what = MarkKind::Void { why: format!("a lock of {holder} ended early") };
                    Mark { lane: Lane::Node(number), at_us: *at_us, what }
                }),
                Record::Void { at_us, why, .. } => {
                    Some(Mark { lane: Lane::Node(0), at_us: *at_us, what: MarkKind::Void { why: why.clone() } })
                }
                Record::Acquired { .. } | Record::Extended { .. } | Record::Ended { .. } => None,
            };
            self.marks.extend(mark);
        }
    }
}

/// The number in a name such as `n3`.
fn number(name: &str, letter: char) -> Option<u8> {
    name.strip_prefix(letter)?.parse().ok()
}

/// One line for every span and mark, in the order of time.
impl std::fmt::Display for Timeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut lines: Vec<(Micros, Lane, String)> = Vec::new();
        for Span { lane, from_us, to_us, what } in &self.spans {
            let until = format!("until {}.{:03} ms", to_us / 1_000, to_us % 1_000);
            lines.push((
                *from_us,
                *lane,
                match what {
                    SpanKind::Lease { resource, token } => format!("holds {resource} with token {token} {until}"),
                    SpanKind::Fault { name } => format!("{name} {until}"),
                },
            ));
        }
        for Mark { lane, at_us, what } in &self.marks {
            lines.push((
                *at_us,
                *lane,
                match what {
                    MarkKind::Written { token } => format!("written with token {token}"),
                    MarkKind::Refused { token } => format!("refused the stale token {token}"),
                    MarkKind::Fault { name } => name.clone(),
                    MarkKind::Void { why } => format!("not promised any more: {why}"),
                },
            ));
        }
        lines.push((self.calm_us, Lane::Node(0), "all faults have ended".to_owned()));
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
