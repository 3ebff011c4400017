//! [`ScenarioReport`]: the result of a story, with the shipped lock and with the short cut.

use super::{Scenario, ShortCut};
use crate::harness::Outcome;
use crate::history::{Micros, Record, Stay};
use crate::invariant::overlaps;
use crate::plan::Plan;
use crate::{Level, Timeline};

/// The result of a story.
#[derive(Debug)]
pub struct ScenarioReport {
    /// Under the shipped lock.
    pub right: Checked,
    /// With the wrong protocol that the story is about: its name, what it does, and the result.
    pub short_cut: Option<(String, &'static str, Checked)>,
}

/// One run of a story, and whether its expectations were met.
#[derive(Debug)]
pub struct Checked {
    /// The run.
    pub plan: Plan,
    /// Its picture.
    pub timeline: Timeline,
    /// What must be seen, and whether it was.
    pub expectations: Vec<(String, bool)>,
}

/// One run, with methods for expectations.
#[derive(Debug)]
pub struct ScenarioRun {
    outcome: Outcome,
    stays: Vec<Stay>,
}

/// A wrong protocol may break only in some orders of messages. This many seeds are tried.
const SEEDS_MAX: u64 = 200;

impl Scenario {
    /// Plays the story under the shipped lock, and under the short cut if there is one.
    #[must_use]
    pub fn play(&self) -> ScenarioReport {
        let plan = self.plan();
        let played = ScenarioRun::of(Level::Node.run(&plan, None, true));
        let mut expectations = vec![("every promise holds".to_owned(), played.outcome.violations.is_empty())];
        if let Err(why) = plan.check() {
            expectations.push((why.to_string(), false));
        }
        expectations
            .extend(self.expectations.iter().map(|expected| (expected.what.to_owned(), (expected.holds)(&played))));
        let timeline = Timeline::of(&plan, &played.outcome);
        ScenarioReport {
            right: Checked { plan, timeline, expectations },
            short_cut: self.short_cut.as_ref().map(|cut| (cut.mutant.name(), cut.what, self.cut_short(cut))),
        }
    }

    fn cut_short(&self, ShortCut { mutant, breaks, .. }: &ShortCut) -> Checked {
        let mut plan = self.plan();
        let falls =
            |plan: &Plan| Level::Node.run(plan, Some(*mutant), false).violations.iter().any(|it| it.promise == *breaks);
        let first = plan.seed;
        let seed = (first..first + SEEDS_MAX).find(|seed| {
            plan.seed = *seed;
            falls(&plan)
        });
        plan.seed = seed.unwrap_or(first);
        let mut outcome = Level::Node.run(&plan, Some(*mutant), true);
        // Other promises may break too; the story is about this one.
        outcome.violations.sort_by_key(|violation| violation.promise != *breaks);
        let timeline = Timeline::of(&plan, &outcome);
        Checked { plan, timeline, expectations: vec![(format!("{breaks} is broken"), seed.is_some())] }
    }
}

impl ScenarioReport {
    /// Whether all expectations were met.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.right.holds() && self.short_cut.as_ref().is_none_or(|(_, _, checked)| checked.holds())
    }
}

impl Checked {
    /// Whether all expectations were met.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.expectations.iter().all(|(_, seen)| *seen)
    }
}

impl ScenarioRun {
    fn of(outcome: Outcome) -> Self {
        let stays = outcome.history.stays();
        Self { outcome, stays }
    }

    /// How often each thing happened.
    pub(super) const fn seen(&self) -> &crate::invariant::Coverage {
        &self.outcome.seen
    }

    /// All leases, in the order in which they were returned.
    pub(super) fn leases(&self) -> &[Stay] {
        &self.stays
    }

    /// The first lease of a client.
    pub(super) fn lease(&self, client: u8) -> Option<&Stay> {
        let label = format!(" c{client}.");
        self.stays.iter().find(|stay| stay.holder.contains(&label))
    }

    /// Whether the first lease of one client was over before the first of the other was returned.
    pub(super) fn follows(&self, first: u8, second: u8) -> bool {
        match (self.lease(first), self.lease(second)) {
            (Some(first), Some(second)) => first.until_us <= second.returned_us && first.token < second.token,
            _ => false,
        }
    }

    /// Whether a client got its first lease between two times, in milliseconds.
    pub(super) fn acquired_within(&self, client: u8, from_ms: u64, to_ms: u64) -> bool {
        self.lease(client).is_some_and(|stay| (from_ms * 1_000..=to_ms * 1_000).contains(&stay.returned_us))
    }

    /// Whether two holders believed at one time, whether or not X applied.
    pub(super) fn overlapped(&self) -> bool {
        !overlaps(&self.outcome.history, &self.stays).is_empty()
    }

    /// Whether a write under the first lease of a client was admitted, or refused.
    pub(super) fn judged(&self, client: u8, verdict: bool) -> bool {
        let Some(of) = self.lease(client) else { return false };
        self.writes().any(|(_, token, admitted)| token == of.token && admitted == verdict)
    }

    /// All writes: when they were judged, under which token, and whether they were admitted.
    pub(super) fn writes(&self) -> impl Iterator<Item = (Micros, redfence::FencingToken, bool)> {
        self.outcome.history.records.iter().filter_map(|record| match record {
            Record::Write { at_us, token, admitted, .. } => Some((*at_us, *token, *admitted)),
            _ => None,
        })
    }

    /// Whether every lease carries a greater token than those that were returned before.
    pub(super) fn tokens_grow(&self) -> bool {
        self.stays.windows(2).all(|pair| matches!(pair, [one, next] if one.token < next.token))
    }

    /// How many requests of a kind were sent to the nodes, by the trace.
    pub(super) fn requests(&self, kind: &str) -> usize {
        self.requests_between(kind, 0, u64::MAX)
    }

    /// The same between two times, in milliseconds.
    pub(super) fn requests_between(&self, kind: &str, from_ms: u64, to_ms: u64) -> usize {
        let is_sent = |line: &&str| line.contains(" -> n") && line.contains(kind);
        let at_ms = |line: &str| line.split_whitespace().next().and_then(|ms| ms.parse::<u64>().ok());
        let sent = self.outcome.trace.lines().filter(is_sent).filter_map(at_ms);
        sent.filter(|at_ms| (from_ms..to_ms).contains(at_ms)).count()
    }
}
