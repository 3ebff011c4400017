//! Joining a node: decides whether it may vote, must rest, or must be initialized first.
//!
//! Suppose a node restarts without its data, is restored from an old snapshot, is replaced, or is a promoted replica.
//! Then it may have forgotten a lock on which a holder still relies. So it rests for the longest time to live that
//! any locker may have asked for. The Redlock specification asks operators for such a *delayed restart*; here the
//! client does it.
//!
//! A node that rests has **no counters**. So a grant of a locker that does not know about the rest draws nothing,
//! removes its own lock, and the reply is *forgot*. The fast path pays nothing for that. When the rest is over, a
//! locker creates all counters at the clock.

use std::fmt;
use std::time::Duration;

use super::fencing::{COUNTER_MIN, clock_start};
use crate::{Moment, WallTime};

/// The identity of one run of a server: new at every start. It has 160 bits, as in Redis and Valkey. Each node has its
/// own: a locker takes two nodes with one run id for a single server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId([u8; 20]);

impl RunId {
    /// From its bytes.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// From 40 hexadecimal digits.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        if text.len() != 40 || !text.is_ascii() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// Writes all 40 hexadecimal digits.
impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Writes the first 8 digits.
impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}

/// What a node reports about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeReport {
    /// The node's wall clock.
    pub now: WallTime,
    /// The run of the server; `None` if INFO is not permitted.
    pub run_id: Option<RunId>,
    /// How long the server has been up, at least; `None` if INFO is not permitted.
    pub uptime: Option<Duration>,
    /// Whether the node was joined in this run of the server. This marker survives a flush, unlike the keys. `None` if
    /// the node cannot tell.
    pub was_joined: Option<bool>,
    /// Whether the server logs every write, and never followed another server; `None` if INFO is not permitted.
    pub keeps: Option<bool>,
    /// The record that the node has of a join.
    pub record: Option<Record>,
    /// A random mark that the first probe left on a node without a record. It is gone if the node forgets again.
    pub mark: Option<u64>,
    /// The number of the connection that brought this report. Grants may be sent over that connection only.
    pub session: u64,
    /// When the report came in, on the caller's clock.
    pub arrived: Moment,
}

impl NodeReport {
    /// Whether the node was initialized in a new installation a moment ago, so that another locker may still be busy
    /// with the other nodes.
    #[must_use]
    pub fn is_being_bootstrapped(&self) -> bool {
        self.record.is_some_and(|record| record.new && self.now < record.ready_at.after(BOOTSTRAP_MAX))
    }

    /// Whether the node has a record of a join in this run.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.record.is_some_and(|record| self.run_id.is_none() || record.run_id == self.run_id)
    }

    /// Whether the node may be asked, whatever is known of the others: it is awake, in the run that was joined.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        self.is_joined() && self.record.is_some_and(|record| record.awake)
    }
}

/// The longest time that an initialization takes, generously.
const BOOTSTRAP_MAX: Duration = Duration::from_secs(1);

/// What a node stores about its join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Record {
    /// The run that was joined; `None` if INFO was not permitted.
    pub run_id: Option<RunId>,
    /// The end of its rest, on the node's wall clock.
    pub ready_at: WallTime,
    /// The longest time to live that any locker was configured for.
    pub max_ttl: Duration,
    /// Whether its counters exist. A node without counters cannot grant.
    pub awake: bool,
    /// Whether it was initialized in a new installation, and not again since.
    pub new: bool,
}

/// What else the decision about a node depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinFacts {
    /// Another node has a record, or this process saw one on this node: the installation is not new.
    pub known_elsewhere: bool,
    /// All configured nodes have been probed just now.
    pub all_seen: bool,
    /// The operator declares that the installation is new, and that no process holds a lock.
    pub declared_new: bool,
    /// The operator declares that this node keeps every write over a restart, and no report contradicts that.
    pub durable: bool,
    /// This process found a counter missing on this node since the last initialization.
    pub forgot: bool,
    /// How long a node that forgot must rest: the longest time to live that any locker or node has noted, plus drift.
    pub rest: Duration,
    /// The caller's wall clock, for counters that start again.
    pub wall: WallTime,
}

/// What to do with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinDecision {
    /// It may be asked for grants.
    Ready,
    /// It may not be asked for grants for this duration, on its own clock.
    Resting(Duration),
    /// Its rest is over: create its counters.
    Activate,
    /// Its counters must be created, and counters start at the clock. But both the node's clock and the caller's show
    /// a time before September 2001, so neither is set. The node rests until one of them is.
    ClockUnset,
    /// Write a record, delete the counters, and let the node rest.
    Initialize {
        /// How long it must rest.
        rest: Duration,
        /// Why.
        reason: Reason,
    },
}

/// Why a node must be initialized or rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Its record is from another run: it was restarted, restored or promoted.
    Restarted,
    /// It has no record, and other nodes have one, or may have: it was flushed, replaced, or restarted empty.
    Forgot,
    /// No node has a record: the installation is new, or all nodes forgot.
    New,
    /// Neither its clock nor the caller's is set, so its counters cannot start.
    ClockUnset,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restarted => "it restarted, was restored or was promoted",
            Self::Forgot => "it remembers nothing",
            Self::New => "no node remembers anything",
            Self::ClockUnset => "its clock and this machine's show a time before September 2001",
        })
    }
}

/// Decides what to do with one node.
#[must_use]
pub fn decide(report: &NodeReport, facts: &JoinFacts) -> JoinDecision {
    let decision = by_memory(report, facts);
    let creates_counters =
        matches!(decision, JoinDecision::Activate | JoinDecision::Initialize { rest: Duration::ZERO, .. });
    if creates_counters && is_unset(report.now, facts.wall) { JoinDecision::ClockUnset } else { decision }
}

/// Whether counters that started now would look like missing counters.
#[must_use]
pub fn is_unset(node: WallTime, caller: WallTime) -> bool {
    clock_start(node, caller) < COUNTER_MIN
}

fn by_memory(report: &NodeReport, facts: &JoinFacts) -> JoinDecision {
    let initialize = |rest, reason| JoinDecision::Initialize { rest, reason };
    let Some(record) = &report.record else {
        if facts.known_elsewhere || !facts.all_seen || report.was_joined == Some(true) {
            return initialize(facts.rest, Reason::Forgot);
        }
        if facts.declared_new {
            return initialize(Duration::ZERO, Reason::New);
        }
        // What the node forgot at its start, it forgot this long ago. If it is unknown whether it was flushed since,
        // the flush may have happened just now, so the uptime does not count. Servers count whole seconds, from one
        // tick of the clock to the next, so up to a second is subtracted.
        let uptime = report.was_joined.and(report.uptime).unwrap_or_default().saturating_sub(Duration::from_secs(1));
        return initialize(facts.rest.saturating_sub(uptime), Reason::New);
    };
    if facts.forgot && record.awake {
        return initialize(facts.rest, Reason::Forgot);
    }
    // If INFO is refused, only the record can decide.
    if report.run_id.is_some() && record.run_id != report.run_id {
        let kept = facts.durable && report.keeps == Some(true);
        return initialize(if kept { Duration::ZERO } else { facts.rest }, Reason::Restarted);
    }
    if facts.declared_new && facts.all_seen && !facts.known_elsewhere && record.new && !record.awake {
        return initialize(Duration::ZERO, Reason::New);
    }
    let left = record.ready_at.unix_us().saturating_sub(report.now.unix_us());
    match (record.awake, left) {
        (true, _) => JoinDecision::Ready,
        (false, 0) => JoinDecision::Activate,
        // A clock that was set back must not prolong the rest.
        (false, left) => JoinDecision::Resting(Duration::from_micros(left).min(facts.rest)),
    }
}

/// How long a node that forgot must rest: the longest time to live, plus the drift of clocks over it.
#[must_use]
pub fn rest(max_ttl: Duration, drift_ppm: u32) -> Duration {
    let terms = super::Terms { ttl: max_ttl, drift_ppm, min_validity: Duration::ZERO };
    max_ttl.saturating_add(terms.drift()).saturating_add(super::Terms::DRIFT_FLOOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(30);
    const NOW: WallTime = WallTime::from_unix_ms(1_700_000_000_000);

    fn run(id: u8) -> Option<RunId> {
        Some(RunId::from_bytes([id; 20]))
    }

    fn report(uptime_s: u64, record: Option<Record>) -> NodeReport {
        let (run_id, uptime) = (run(1), Some(Duration::from_secs(uptime_s)));
        let (was_joined, keeps) = (Some(false), Some(true));
        NodeReport {
            now: NOW,
            run_id,
            uptime,
            was_joined,
            keeps,
            record,
            mark: None,
            session: 1,
            arrived: Moment::default(),
        }
    }

    fn record(id: u8, rests_for_s: u64, awake: bool) -> Option<Record> {
        let ready_at = NOW.after(Duration::from_secs(rests_for_s));
        Some(Record { run_id: run(id), ready_at, max_ttl: REST, awake, new: id == 1 && rests_for_s == 27 })
    }

    fn facts() -> JoinFacts {
        JoinFacts {
            known_elsewhere: false,
            all_seen: true,
            declared_new: false,
            durable: false,
            forgot: false,
            rest: REST,
            wall: NOW,
        }
    }

    fn initialize(rest_s: u64, reason: Reason) -> JoinDecision {
        JoinDecision::Initialize { rest: Duration::from_secs(rest_s), reason }
    }

    fn all(rows: &[(&str, NodeReport, JoinFacts, JoinDecision)]) {
        for (story, seen, facts, expected) in rows {
            assert_eq!(decide(seen, facts), *expected, "{story}");
        }
    }

    #[test]
    fn every_row_with_a_record() {
        let durable = JoinFacts { durable: true, ..facts() };
        let declared = JoinFacts { declared_new: true, ..facts() };
        let among_others = JoinFacts { known_elsewhere: true, ..declared };
        let forgot = JoinFacts { forgot: true, ..facts() };
        let rests = |left_s| JoinDecision::Resting(Duration::from_secs(left_s));
        let restarted = report(1, record(2, 0, true));
        let doubtful = NodeReport { keeps: Some(false), ..restarted };
        all(&[
            ("it never stopped", report(99, record(1, 0, true)), facts(), JoinDecision::Ready),
            ("it rests", report(5, record(1, 25, false)), facts(), rests(25)),
            ("its rest is over", report(31, record(1, 0, false)), facts(), JoinDecision::Activate),
            ("it restarted", restarted, facts(), initialize(30, Reason::Restarted)),
            ("it restarted while resting", report(1, record(2, 9, false)), facts(), initialize(30, Reason::Restarted)),
            ("it is durable and restarted", restarted, durable, initialize(0, Reason::Restarted)),
            ("declared durable, and has no log or was a replica", doubtful, durable, initialize(30, Reason::Restarted)),
            ("rests as new, declared new", report(3, record(1, 27, false)), declared, initialize(0, Reason::New)),
            ("rests as new, others remember", report(3, record(1, 27, false)), among_others, rests(27)),
            ("rests for another reason, declared new", report(3, record(1, 26, false)), declared, rests(26)),
            ("a counter is missing", report(99, record(1, 0, true)), forgot, initialize(30, Reason::Forgot)),
            ("a counter is missing because it rests", report(99, record(1, 9, false)), forgot, rests(9)),
        ]);
    }

    #[test]
    fn every_row_without_a_record() {
        let elsewhere = JoinFacts { known_elsewhere: true, ..facts() };
        let partial = JoinFacts { all_seen: false, ..facts() };
        let declared = JoinFacts { declared_new: true, ..facts() };
        let flushed = NodeReport { was_joined: Some(true), ..report(99, None) };
        let unsure = NodeReport { was_joined: None, ..report(99, None) };
        all(&[
            ("others remember", report(99, None), elsewhere, initialize(30, Reason::Forgot)),
            ("others are out of reach", report(99, None), partial, initialize(30, Reason::Forgot)),
            ("no node remembers, all up for long", report(99, None), facts(), initialize(0, Reason::New)),
            ("no node remembers, young", report(3, None), facts(), initialize(28, Reason::New)),
            ("no node remembers, but it was joined in this run", flushed, facts(), initialize(30, Reason::Forgot)),
            ("no node remembers, nor can tell of a flush", unsure, facts(), initialize(30, Reason::New)),
            ("declared new", report(3, None), declared, initialize(0, Reason::New)),
            ("declared new, but it was joined in this run", flushed, declared, initialize(30, Reason::Forgot)),
            (
                "declared new, but not all are seen",
                report(3, None),
                JoinFacts { all_seen: false, ..declared },
                initialize(30, Reason::Forgot),
            ),
            (
                "declared new, but others remember",
                report(3, None),
                JoinFacts { known_elsewhere: true, ..declared },
                initialize(30, Reason::Forgot),
            ),
        ]);
    }

    #[test]
    fn where_info_is_refused_the_record_alone_counts() {
        let blind = |record| NodeReport { run_id: None, uptime: None, ..report(0, record) };
        assert_eq!(decide(&blind(record(2, 0, true)), &facts()), JoinDecision::Ready);
        assert!(matches!(decide(&blind(None), &facts()), JoinDecision::Initialize { rest: REST, .. }));
    }

    #[test]
    fn r5_no_counter_is_created_while_neither_clock_is_set() {
        let unset = WallTime::from_unix_ms(120_000);
        let (declared, by_others) = (JoinFacts { declared_new: true, ..facts() }, JoinFacts { wall: unset, ..facts() });
        let neither = JoinFacts { wall: unset, ..declared };
        let in_1970 = |seen: NodeReport| NodeReport { now: unset, ..seen };
        let rested = Record { ready_at: unset, ..record(1, 0, false).unwrap() };
        all(&[
            ("new, neither clock is set", in_1970(report(99, None)), neither, JoinDecision::ClockUnset),
            ("new, the caller's is", in_1970(report(99, None)), declared, initialize(0, Reason::New)),
            ("new, the node's is", report(99, None), neither, initialize(0, Reason::New)),
            ("young, neither is", in_1970(report(3, None)), by_others, initialize(28, Reason::New)),
            ("its rest is over, neither is", in_1970(report(31, Some(rested))), by_others, JoinDecision::ClockUnset),
            ("its rest is over, the caller's is", in_1970(report(31, Some(rested))), facts(), JoinDecision::Activate),
            ("it never stopped", in_1970(report(99, record(1, 0, true))), by_others, JoinDecision::Ready),
        ]);
    }

    #[test]
    fn a_clock_set_back_does_not_prolong_the_rest() {
        assert_eq!(decide(&report(1, record(1, 3_600, false)), &facts()), JoinDecision::Resting(REST));
    }

    #[test]
    fn run_ids_are_read_and_printed() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(RunId::parse(text).unwrap().to_string(), text);
        assert!(RunId::parse("0123").is_none() && RunId::parse(&"x".repeat(40)).is_none());
    }
}
