//! Mutants in what a node does.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use redfence::node::NodeState;
use redfence::protocol::{COUNTER_MIN, RecordUpdate, Reply, Request, Subject, Verb, Waits};
use redfence::{Occupant, WallTime};

use super::Mutant;

impl Mutant {
    /// What a node does with requests in one step, under a mutant or under none.
    pub(crate) fn apply_batch(
        mutant: Option<Self>,
        number: u8,
        node: &mut NodeState,
        now: WallTime,
        requests: &[Request],
    ) -> Vec<Reply> {
        match mutant {
            None => node.apply_batch(now, requests),
            // Each node has a different order of waiters.
            Some(Self::OrdersDiffer) => {
                let shuffled: Vec<_> = requests.iter().map(|request| shuffled(request, number)).collect();
                node.apply_batch(now, &shuffled)
            }
            Some(Self::ReservationWithoutEnd) => {
                let patient: Vec<_> = requests.iter().map(patient).collect();
                node.apply_batch(now, &patient)
            }
            Some(_) => requests.iter().map(|request| Self::apply(mutant, node, now, request)).collect(),
        }
    }

    /// What it does with one request.
    pub(crate) fn apply(mutant: Option<Self>, node: &mut NodeState, now: WallTime, request: &Request) -> Reply {
        let slot = request.subject.resource.slot();
        match (mutant, &request.verb) {
            (Some(Self::SealWithoutHolder), &Verb::Seal { token }) => {
                node.set_counter(slot, node.counter(slot).max(token));
                Reply::Sealed
            }
            (Some(Self::ExtendReseeds), &Verb::Extend { ttl }) => match node.apply(now, request) {
                Reply::Refused(view) if view.lock.is_free() => {
                    let verb = Verb::Grant { ttl, floor: 0, block: 1, waits: None };
                    node.apply(now, &Request { verb, ..request.clone() });
                    Reply::Extended
                }
                reply => reply,
            },
            (Some(Self::EmptyCounterVotes), Verb::Grant { .. }) => {
                if node.counter(slot) < COUNTER_MIN {
                    node.set_counter(slot, COUNTER_MIN);
                }
                node.apply(now, request)
            }
            // No locker notices that it forgot, because it is awake at once with a counter that starts low.
            (Some(Self::EmptyCounterVotes), Verb::Initialize(update)) => {
                let before = node.counter(slot);
                let reply = at_once(node, now, request, update);
                if before < COUNTER_MIN {
                    forget_counters(node);
                }
                reply
            }
            (Some(Self::BlockNotOwned), &Verb::Grant { ttl, floor, waits, .. }) => {
                let verb = Verb::Grant { ttl, floor, block: 1, waits };
                node.apply(now, &Request { verb, ..request.clone() })
            }
            (Some(Self::ReleaseWithoutHolder), Verb::Release { .. }) => {
                node.drop_lock(&request.subject.resource);
                Reply::Released
            }
            (Some(Self::ForeignIgnored), Verb::Grant { .. }) => match node.apply(now, request) {
                Reply::Refused(view) if view.lock.held_by().is_some_and(Occupant::is_foreign) => {
                    node.drop_lock(&request.subject.resource);
                    node.apply(now, request)
                }
                reply => reply,
            },
            (Some(Self::LeaveIgnored), Verb::Leave) => Reply::Left,
            (Some(Self::NoRest), Verb::Initialize(update)) => at_once(node, now, request, update),
            (Some(Self::NoClockStart), Verb::Initialize(_) | Verb::Activate { .. }) => {
                let before = node.counter(slot);
                let reply = node.apply(now, request);
                if before < COUNTER_MIN && node.counter(slot) >= COUNTER_MIN {
                    forget_counters(node);
                }
                reply
            }
            _ => node.apply(now, request),
        }
    }
}

/// The same request with a waiting time that depends on the waiter's name and the node.
fn shuffled(request: &Request, node: u8) -> Request {
    let Verb::Grant { ttl, floor, block, waits: Some(waits) } = request.verb else { return request.clone() };
    let mut hasher = DefaultHasher::new();
    (request.subject.waiter.locker, node).hash(&mut hasher);
    let waited = Duration::from_secs(3_600 + hasher.finish() % 3_600);
    Request { verb: Verb::Grant { ttl, floor, block, waits: Some(Waits { waited, ..waits }) }, ..request.clone() }
}

/// The same request with a grace of more than a minute: longer than the rest of any run.
fn patient(request: &Request) -> Request {
    let mut subject = Subject::clone(&request.subject);
    subject.waiter.grace_ms = u16::MAX;
    Request { subject: Arc::new(subject), ..request.clone() }
}

/// A record update that lets the node vote again at once.
fn at_once(node: &mut NodeState, now: WallTime, request: &Request, update: &RecordUpdate) -> Reply {
    let verb = RecordUpdate { rest: Duration::ZERO, ..*update }.into();
    node.apply(now, &Request { verb, ..request.clone() })
}

/// All counters start again at the lowest valid number.
fn forget_counters(node: &mut NodeState) {
    for slot in 0..redfence::Resource::SLOTS {
        node.set_counter(slot, COUNTER_MIN);
    }
}
