//! [`Trace`]: one path through a world of waiting, in words.

use std::fmt;

use redfence::NodeId;

use super::message::{ToNode, ToProcess};
use super::process::Phase;
use super::{Action, State, World};
use redfence::protocol::{Next, Reply};

/// One path through a world, in words: one line per step, and the broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    lines: Vec<String>,
    steps: usize,
}

impl Trace {
    /// Describes these actions.
    pub(super) fn of(world: &World, actions: impl IntoIterator<Item = Action>) -> Self {
        let mut state = world.first();
        let (mut lines, mut steps) = (Vec::new(), 0);
        for action in actions {
            let Some(next) = world.step(&state, action) else { break };
            lines.push(world.words(&state, &next, action));
            (state, steps) = (next, steps + 1);
        }
        lines.extend(world.verdict(&state).map(|broken| broken.to_string()));
        Self { lines, steps }
    }

    /// How many steps it takes.
    #[must_use]
    pub const fn steps(&self) -> usize {
        self.steps
    }

    /// One line per step, and the broken promise.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in (1..).zip(&self.lines) {
            let label = if at > self.steps { "   =".to_owned() } else { format!("{at:>4}") };
            writeln!(f, "{label}  {line}")?;
        }
        Ok(())
    }
}

impl World {
    fn words(&self, before: &State, after: &State, action: Action) -> String {
        match action {
            Action::Begin { process } => format!("p{process} wants the lock, and asks"),
            Action::Arrive { process, node, lapsed } => {
                let ended = match (lapsed, self.reserved_for(before, node)) {
                    (false, _) => "",
                    (true, Some(_)) => "the reservation has ended; ",
                    (true, None) => "the lock has ended; ",
                };
                let has = self.occupant_words(after, node);
                let what = match channel(before, process, node).and_then(|channel| channel.to_node.front()) {
                    Some(ToNode::Grant(..)) => "is asked by",
                    Some(ToNode::Release(_, Next::NoWaiter)) => "receives the release, which wakes no waiter, of",
                    Some(ToNode::Release(_, Next::Rejoin { .. })) => {
                        "receives the release, with a place in the queue, of"
                    }
                    Some(ToNode::Release(..)) => "receives the release of",
                    Some(ToNode::Leave) => "receives the leave of",
                    Some(ToNode::End) | None => "loses the connection of",
                };
                format!("{ended}{node:?} {what} p{process}{has}{}", outcome(before, after, process))
            }
            Action::Receive { process, node } => {
                let what = match channel(before, process, node).and_then(|channel| channel.to_process.front()) {
                    Some(ToProcess::Wake { now: true }) => "is woken by".to_owned(),
                    Some(ToProcess::Wake { now: false }) => "learns when a reservation ends from".to_owned(),
                    Some(ToProcess::Reply(_, Reply::Granted { .. })) => "receives a grant from".to_owned(),
                    Some(ToProcess::Reply(_, Reply::Failed(fault))) => format!("receives \"{fault}\" from"),
                    Some(ToProcess::Reply(..)) | None => "receives a refusal from".to_owned(),
                };
                format!("p{process} {what} {node:?}{}", outcome(before, after, process))
            }
            Action::TimerFires { process } => match before.processes.get(process).and_then(|is| is.fires_soon()) {
                Some(true) => format!("p{process} asks again: it was woken, or has paused"),
                _ => format!("p{process} asks again: the lock that it met would have ended"),
            },
            Action::Release { process } => format!("p{process} releases the lock"),
            Action::Leave { process } => format!("p{process} gives up"),
            Action::Die { process } => format!("p{process} dies"),
            Action::Pause { process } => format!("p{process} pauses"),
            Action::LoseWake { process, node } => format!("the wake of {node:?} to p{process} is lost"),
            Action::LoseNode { node } => format!("{node:?} ends for good"),
        }
    }

    fn occupant_words(&self, state: &State, node: NodeId) -> String {
        match (self.taken_by(state, node), self.reserved_for(state, node)) {
            (Some((process, _)), _) => format!(": it has the lock of p{process}"),
            (_, Some(process)) => format!(": it reserves the lock for p{process}"),
            (None, None) => ": its lock is free".to_owned(),
        }
    }
}

fn channel(state: &State, process: usize, node: NodeId) -> Option<&super::process::Channel> {
    state.processes.get(process)?.channels.get(node.index())
}

/// The outcome of an attempt.
fn outcome(before: &State, after: &State, process: usize) -> String {
    let phase = |state: &State| state.processes.get(process).map(|is| is.phase.clone());
    match (phase(before), phase(after)) {
        (Some(Phase::Asking(_)), Some(Phase::Holding(_))) => format!("; p{process} holds the lock"),
        (Some(Phase::Asking(_)), Some(Phase::Asleep(_))) => format!("; p{process} has lost, and sleeps"),
        _ => String::new(),
    }
}
