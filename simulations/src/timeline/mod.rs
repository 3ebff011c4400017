//! [`Timeline`]: the data of a picture of a run: leases, faults and refused writes over time. Other modules draw it.

mod text;
mod words;

use std::collections::BTreeMap;

use redfence::LockState;
use serde::Serialize;

use crate::harness::{Outcome, TimelineEvent};
use crate::history::{Micros, Record};
use crate::invariant::Violation;
use crate::plan::{Fault, Plan};

/// A run as a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// When it ended.
    pub ends_us: Micros,
    /// When all faults had ended.
    pub faults_end_us: Micros,
    /// The clients, nodes and resources, from top to bottom.
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
    /// A protected resource.
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
    /// A client of another library believed in its lock.
    ForeignHold {
        /// Of which resource.
        resource: String,
    },
    /// Something was wrong.
    Fault {
        /// What, in a few words.
        name: &'static str,
        /// What, in a sentence.
        long: String,
    },
    /// A client's process was paused, with all its tasks.
    Paused,
    /// A node had a lock.
    Lock {
        /// Of which resource.
        resource: String,
        /// For whom.
        holder: String,
        /// Whether the lock is only reserved for that client.
        reserved: bool,
    },
    /// A node gave no votes, because it may have forgotten locks.
    Rest,
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
    /// A write leaves its client.
    Sent {
        /// Its token.
        token: u64,
        /// To where.
        to: Lane,
        /// When it arrives.
        arrives_us: Micros,
    },
    /// A write was admitted.
    Written {
        /// Its token.
        token: u64,
    },
    /// A write was refused as stale.
    Refused {
        /// Its token.
        token: u64,
    },
    /// An acquire failed.
    Failed {
        /// Why, for people.
        why: String,
    },
    /// A fault that is over at once.
    Fault {
        /// What, in a few words.
        name: &'static str,
        /// What, in a sentence.
        long: String,
    },
    /// An assumption of a promise is broken.
    Void {
        /// What, for people.
        why: String,
    },
}

impl Timeline {
    /// The picture of a run.
    #[must_use]
    pub fn of(plan: &Plan, outcome: &Outcome) -> Self {
        let clients = plan.clients.len() + plan.foreign.len();
        let clients = (0..u8::try_from(clients).unwrap_or(u8::MAX)).map(Lane::Client);
        let nodes = (0..).zip(&plan.nodes).map(|(number, _)| Lane::Node(number));
        let lanes = clients.chain(nodes).chain((0..plan.resources).map(Lane::Resource)).collect();
        let mut timeline = Self {
            ends_us: outcome.ended_us,
            faults_end_us: u64::from(plan.faults_end_ms) * 1_000,
            lanes,
            spans: Vec::new(),
            marks: Vec::new(),
            violation: outcome.violation().map(Violation::to_string),
            violation_us: outcome.violation().map(|violation| violation.at_us),
        };
        timeline.add_faults(plan);
        timeline.add_leases(outcome);
        timeline.add_foreign(outcome);
        timeline.add_marks(outcome);
        timeline.add_events(outcome);
        timeline.spans.sort_by_key(|span| (span.from_us, span.lane));
        timeline.marks.sort_by_key(|mark| (mark.at_us, mark.lane));
        timeline
    }

    fn add_faults(&mut self, plan: &Plan) {
        for fault in &plan.faults {
            let from_us = u64::from(fault.at_ms) * 1_000;
            let (name, long) = (words::short(&fault.fault), words::long(&fault.fault));
            for lane in self.struck(&fault.fault) {
                match fault.fault.lasts_ms() {
                    Some(for_ms) => {
                        let to_us = (from_us + u64::from(for_ms) * 1_000).min(self.faults_end_us.max(from_us));
                        self.spans.push(Span {
                            lane,
                            from_us,
                            to_us,
                            what: SpanKind::Fault { name, long: long.clone() },
                        });
                    }
                    None => {
                        let what = MarkKind::Fault { name, long: long.clone() };
                        self.marks.push(Mark { lane, at_us: from_us, what });
                    }
                }
            }
        }
    }

    /// Where a fault is drawn: at its node if it has one, else at its client. A fault of everything is drawn at all
    /// nodes.
    fn struck(&self, fault: &Fault) -> Vec<Lane> {
        let all = |is: fn(&Lane) -> bool| self.lanes.iter().copied().filter(is).collect();
        match *fault {
            Fault::Lossy { client, node, .. }
            | Fault::Slow { client, node, .. }
            | Fault::Partition { client, node, .. } => match (client, node) {
                (_, Some(node)) => vec![Lane::Node(node)],
                (Some(client), None) => vec![Lane::Client(client)],
                (None, None) => all(|lane| matches!(lane, Lane::Node(_))),
            },
            Fault::Hang { node, .. }
            | Fault::Crash { node, .. }
            | Fault::Snapshot { node }
            | Fault::Flush { node }
            | Fault::DropCounter { node, .. }
            | Fault::Evict { node, .. }
            | Fault::Evicting { node, .. }
            | Fault::NodeClock { node, .. } => vec![Lane::Node(node)],
            Fault::Pause { client, .. } | Fault::Reboot { client, .. } | Fault::ClientClock { client, .. } => {
                vec![Lane::Client(client)]
            }
            Fault::SlowStore { .. } => all(|lane| matches!(lane, Lane::Resource(_))),
        }
    }

    fn add_leases(&mut self, outcome: &Outcome) {
        for stay in outcome.history.stays() {
            let Some(number) = number(client_of(&stay.holder), 'c') else { continue };
            self.spans.push(Span {
                lane: Lane::Client(number),
                from_us: stay.returned_us,
                to_us: stay.until_us.min(self.ends_us),
                what: SpanKind::Lease { resource: stay.resource, token: stay.token.get() },
            });
        }
    }

    fn add_foreign(&mut self, outcome: &Outcome) {
        for record in &outcome.history.records {
            if let Record::ForeignHeld { at_us, from_us, resource, holder } = record
                && let Some(number) = number(client_of(holder), 'c')
            {
                let (lane, what) = (Lane::Client(number), SpanKind::ForeignHold { resource: resource.clone() });
                self.spans.push(Span { lane, from_us: *from_us, to_us: *at_us, what });
            }
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
                Record::Acquired { .. }
                | Record::Extended { .. }
                | Record::Ended { .. }
                | Record::ForeignHeld { .. } => None,
            };
            self.marks.extend(mark);
        }
    }

    fn add_events(&mut self, outcome: &Outcome) {
        // What each node has now: its locks, and its rest under a resource that does not exist.
        let mut open: BTreeMap<(u8, Option<u8>), Span> = BTreeMap::new();
        for timeline_event in &outcome.timeline_events {
            match timeline_event {
                TimelineEvent::Paused { client, from_us, to_us } => {
                    let (lane, to_us) = (Lane::Client(*client), (*to_us).min(self.ends_us));
                    let is_fault = self.spans.iter().any(|span| {
                        (span.lane, span.from_us) == (lane, *from_us)
                            && matches!(span.what, SpanKind::Fault { name: "is paused", .. })
                    });
                    if !is_fault {
                        self.spans.push(Span { lane, from_us: *from_us, to_us, what: SpanKind::Paused });
                    }
                }
                TimelineEvent::Sent { client, resource, token, at_us, arrives_us } => {
                    let (to, arrives_us) = (Lane::Resource(*resource), *arrives_us);
                    let what = MarkKind::Sent { token: token.get(), to, arrives_us };
                    self.marks.push(Mark { lane: Lane::Client(*client), at_us: *at_us, what });
                }
                TimelineEvent::Failed { client, at_us, why } => {
                    let what = MarkKind::Failed { why: why.clone() };
                    self.marks.push(Mark { lane: Lane::Client(*client), at_us: *at_us, what });
                }
                TimelineEvent::Lock { node, resource, holder, at_us, expires_us } => {
                    let key = (*node, Some(*resource));
                    let what = holder.as_deref().map(|holder| SpanKind::Lock {
                        resource: format!("r{resource}"),
                        holder: client_of(holder).to_owned(),
                        reserved: LockState::of_value(holder.as_bytes()).reserved_for().is_some(),
                    });
                    let next = what.map(|what| Span {
                        lane: Lane::Node(*node),
                        from_us: *at_us,
                        to_us: (*expires_us).min(self.ends_us),
                        what,
                    });
                    self.turn_over(&mut open, key, *at_us, next);
                }
                TimelineEvent::Rests { node, rests, at_us } => {
                    let to_us = self.ends_us;
                    let next = Span { lane: Lane::Node(*node), from_us: *at_us, to_us, what: SpanKind::Rest };
                    self.turn_over(&mut open, (*node, None), *at_us, rests.then_some(next));
                }
            }
        }
        self.spans.extend(open.into_values());
    }

    /// The state of a node changes: its old span ends, unless the new one continues it.
    fn turn_over(
        &mut self,
        open: &mut BTreeMap<(u8, Option<u8>), Span>,
        key: (u8, Option<u8>),
        at_us: Micros,
        next: Option<Span>,
    ) {
        let Some(mut had) = open.remove(&key) else {
            open.extend(next.map(|next| (key, next)));
            return;
        };
        match next {
            Some(next) if next.what == had.what && had.to_us >= at_us => {
                had.to_us = next.to_us;
                open.insert(key, had);
            }
            next => {
                had.to_us = had.to_us.min(at_us);
                self.spans.push(had);
                open.extend(next.map(|next| (key, next)));
            }
        }
    }
}

/// The client in `<id> c3.0`: its third process.
fn client_of(holder: &str) -> &str {
    let label = holder.split_once(' ').map_or(holder, |(_, label)| label);
    label.split('.').next().unwrap_or(label)
}

/// The number in a name such as `n3`.
fn number(name: &str, letter: char) -> Option<u8> {
    name.strip_prefix(letter)?.parse().ok()
}
