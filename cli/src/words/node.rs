//! The condition of a node, in words for people and for machines.

use std::time::Duration;

use redfence::protocol::FaultKind;
use redfence::{Clock as _, NodeCondition, NodeStatus, SystemClock};
use serde::Serialize;

use super::time::ms;

/// The condition of a node, for machines.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    condition: &'static str,
    rests_for_ms: Option<u64>,
    round_trip_ms: Option<f64>,
    clock_offset_ms: Option<i64>,
}

impl Standing {
    pub(crate) fn of(status: &NodeStatus) -> Self {
        Self {
            condition: condition(status),
            rests_for_ms: status.rests_for.map(ms),
            // Rounded to microseconds: round trips differ by microseconds.
            round_trip_ms: status.round_trip.map(|trip| (trip.as_secs_f64() * 1e6).round() / 1e3),
            clock_offset_ms: clock_offset_ms(status),
        }
    }
}

/// The condition in one word, for machines.
fn condition(status: &NodeStatus) -> &'static str {
    match (&status.last_fault, status.condition) {
        (Some(fault), _) => match fault.kind {
            FaultKind::Unreachable | FaultKind::ConnectionLost | FaultKind::TimedOut => "unreachable",
            _ => "failing",
        },
        (None, NodeCondition::Ready) => "ready",
        (None, NodeCondition::Resting) => "resting",
        (None, NodeCondition::Duplicate) => "duplicate",
        (None, _) => "unknown",
    }
}

/// The condition of a node, for people.
pub(crate) fn standing(status: &NodeStatus) -> String {
    match (&status.last_fault, status.condition, status.rests_for) {
        (Some(fault), ..) => fault.to_string(),
        (None, NodeCondition::Ready, _) => "ready".to_owned(),
        (None, NodeCondition::Resting, Some(left)) => format!("rests, takes part in {}", seconds_up(left)),
        (None, NodeCondition::Resting, None) => "rests".to_owned(),
        (None, NodeCondition::Duplicate, _) => "the same server as another node".to_owned(),
        (None, ..) => "not seen yet".to_owned(),
    }
}

/// The time from the last probe to its reply.
pub(crate) fn round_trip(status: &NodeStatus) -> String {
    status.round_trip.map_or_else(|| "-".to_owned(), |trip| format!("{:.1} ms", trip.as_secs_f64() * 1e3))
}

/// For each clock that cannot be right: whose it is, and what to do.
pub(crate) fn wrong_clocks(nodes: &[NodeStatus]) -> Vec<String> {
    let told = |whose: &str| format!("{whose} clock shows a time before September 2001: set it");
    let theirs = nodes.iter().filter(|node| node.clock.is_some_and(|clock| !clock.is_possible()));
    let ours = (!SystemClock.wall().is_possible()).then(|| told("this machine's"));
    ours.into_iter().chain(theirs.map(|node| told(&format!("{}'s", node.address)))).collect()
}

/// Adds the notes about wrong clocks to a message, unless it already mentions clocks.
pub(crate) fn with_wrong_clocks(message: String, nodes: &[NodeStatus]) -> String {
    if message.contains("clock") {
        return message;
    }
    wrong_clocks(nodes).into_iter().fold(message, |message, wrong| format!("{message}; {wrong}"))
}

/// By how much the node's wall clock is ahead of this machine's.
pub(crate) fn clock_offset(status: &NodeStatus) -> String {
    if status.clock.is_some_and(|clock| !clock.is_possible()) {
        return "before 2001".to_owned();
    }
    clock_offset_ms(status).map_or_else(|| "-".to_owned(), |offset| format!("{offset:+} ms"))
}

fn clock_offset_ms(status: &NodeStatus) -> Option<i64> {
    let (there, here) = (status.clock?.unix_us(), SystemClock.wall().unix_us());
    let apart = i64::try_from(there.abs_diff(here) / 1_000).unwrap_or(i64::MAX);
    Some(if there < here { -apart } else { apart })
}

/// Whole seconds, rounded up, so the text never promises less than the wait.
pub(crate) fn seconds_up(left: Duration) -> String {
    format!("{} s", left.as_secs() + u64::from(left.subsec_nanos() > 0))
}

/// Tenths of a second, rounded down, so the text never shows more time than is left.
pub(crate) fn seconds(left: Duration) -> String {
    format!("{}.{} s", left.as_secs(), left.subsec_millis() / 100)
}
