//! [`Trace`]: the steps that led to a state, one sentence per step.

use std::fmt;
use std::sync::Arc;

use redfence::protocol::{Reply, Verb};
use redfence::{NodeId, NodeSet};

use super::attempt::{Attempt, InFlightReply, InFlightRequest, Phase};
use super::foreign::ForeignAction;
use super::names::{name, number};
use super::state::{Server, State};
use super::world::World;
use super::{Action, Mutant};

/// The steps from a beginning to an end, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace(Vec<String>);

impl Trace {
    /// Describes what `actions` do, from `beginning` on.
    #[must_use]
    pub fn of(world: &World, beginning: &State, actions: impl IntoIterator<Item = Action>) -> Self {
        let mut lines =
            vec![format!("the counters of {} are at {}", list(all_nodes(world)), counters(world, beginning))];
        let mut state = beginning.clone();
        for action in actions {
            let Some(next) = world.step(&state, action) else { continue };
            lines.push(world.sentence(&state, action, &next));
            state = next;
        }
        lines.extend(state.violation().map(ToString::to_string));
        Self(lines)
    }

    /// The sentences.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    /// How many steps it takes: all sentences but the first, which sets the scene, and the last, which says what broke.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.0.len().saturating_sub(2)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in self.0.iter().enumerate() {
            match at {
                0 => writeln!(f, "      {line}")?,
                _ if at + 1 == self.0.len() => write!(f, "      {line}")?,
                _ => writeln!(f, "  {at:>2}. {line}")?,
            }
        }
        Ok(())
    }
}

impl World {
    fn sentence(&self, before: &State, action: Action, after: &State) -> String {
        match action {
            Action::Begin { reach, floor: 0 } => {
                format!("{} asks {} for the lock", name(before.attempts.len()), list(reach))
            }
            Action::Begin { reach, floor } => {
                let (who, floor) = (name(before.attempts.len()), number(floor));
                format!("{who} asks {} for the lock, and for counters of at least {floor}", list(reach))
            }
            Action::Arrive { attempt, node, at, vanished } => {
                let mut there = before.clone();
                let gone = self.at(before, node).filter(|_| vanished).and_then(|server| server.occupant.0);
                let gone = gone.map(|id| format!("the lock of {} on {node:?} is gone; ", name(id))).unwrap_or_default();
                if vanished && let Some(server) = there.servers.get_mut(node.index()) {
                    Arc::make_mut(server).node.drop_lock(&self.resource);
                }
                let received = if self.setup.prompt { self.outcome(before, after, attempt) } else { String::new() };
                gone + &self.arrival(&there, attempt, node, at) + &received
            }
            Action::Receive { attempt, node, at } => {
                let in_flight = channel(before, attempt, node).and_then(|channel| channel.replies.get(at));
                let what = in_flight.map(reply_words).unwrap_or_default();
                format!("{} receives that {node:?} {what}{}", name(attempt), self.outcome(before, after, attempt))
            }
            Action::LoseConnection { attempt, node } => {
                let outcome = self.outcome(before, after, attempt);
                format!("{} loses its connection to {node:?}{outcome}", name(attempt))
            }
            Action::Extend { attempt } => {
                format!("{} asks {} to extend its lease", name(attempt), list(all_nodes(self)))
            }
            Action::HandOver { attempt } => {
                let token = phase(before, attempt).and_then(Phase::tokens).map(|tokens| number(tokens.last.get()));
                let to = if self.is(Mutant::HandOverToLatecomers) {
                    "a task that has just come"
                } else {
                    "a task that waited"
                };
                let (who, token) = (name(attempt), token.unwrap_or_default());
                format!("{who} hands its lease over to {to}, with token {token}")
            }
            Action::Leave { attempt } => match phase(before, attempt) {
                Some(Phase::Acquiring(..)) => format!("{} gives up and releases", name(attempt)),
                Some(Phase::Extending(..)) => format!("{} gives its extension up", name(attempt)),
                _ => format!("{} releases its lease", name(attempt)),
            },
            Action::Restart { node, remembers } => {
                let memory = if remembers { "remembers everything" } else { "has forgotten everything" };
                let rests = self.at(after, node).is_some_and(|server| self.counter(server) == 0);
                let then = match self.locks_last() && !self.setup.joins_late {
                    true if rests => ", and has to rest",
                    true => ", and is awake at once",
                    false => "",
                };
                format!("{node:?} restarts, {memory}{then}")
            }
            Action::Join { node } => match self.at(after, node).map(|server| self.counter(server)) {
                None | Some(0) => format!("{node:?} is looked at, and has to rest"),
                Some(counter) => {
                    format!("{node:?} is looked at, and is awake; its counters start at {}", number(counter))
                }
            },
            Action::Foreign(action) => Self::foreign_words(before, action, after),
            Action::Tick => Self::tick_words(before, after),
        }
    }

    fn foreign_words(before: &State, action: ForeignAction, after: &State) -> String {
        match action {
            ForeignAction::Begin => "the foreign client asks for the lock".to_owned(),
            ForeignAction::Arrive { node } => {
                let took =
                    if before.foreign.took_more_in(&after.foreign) { "gets the lock of" } else { "is refused by" };
                let believes = after.foreign.believes() && !before.foreign.believes();
                let holds = if believes { ", and holds it" } else { "" };
                format!("the foreign client {took} {node:?}{holds}")
            }
            ForeignAction::Leave => "the foreign client removes its locks".to_owned(),
        }
    }

    fn tick_words(before: &State, after: &State) -> String {
        let ended = |id: &usize| {
            phase(before, *id).zip(phase(after, *id)).is_some_and(|(b, a)| b.lease().is_some() && a.lease().is_none())
        };
        let ended: Vec<_> = (0..before.attempts.len()).filter(ended).map(name).collect();
        match ended.as_slice() {
            [] => "half a time to live passes".to_owned(),
            ended => format!("half a time to live passes, and {} stops believing", ended.join(" and ")),
        }
    }

    fn arrival(&self, before: &State, id: usize, node: NodeId, at: usize) -> String {
        let in_flight = channel(before, id, node).and_then(|channel| channel.requests.get(at)).cloned();
        let reply = self.arrive(&mut before.clone(), id, node, at);
        let (Some(InFlightRequest { verb, .. }), Some(reply), who) = (in_flight, reply, name(id)) else {
            return String::new();
        };
        match (verb, reply) {
            (_, Reply::Granted { counter }) => format!("{node:?} grants {who} with counter {}", number(counter)),
            (Verb::Grant { .. }, Reply::Failed(fault)) => format!("{node:?} does not grant {who}: it {fault}"),
            (Verb::Grant { .. }, _) => format!("{node:?} refuses {who}, the lock is {}'s", self.lock_of(before, node)),
            (Verb::Seal { token }, Reply::Sealed) => format!("{node:?} seals token {} for {who}", number(token)),
            (Verb::Seal { .. }, _) => {
                format!("{node:?} refuses to seal for {who}, the lock is {}", self.whose(before, node))
            }
            (Verb::Extend { .. }, Reply::Extended) => format!("{node:?} extends the lock of {who}"),
            (Verb::Extend { .. }, _) => {
                format!("{node:?} refuses to extend for {who}, the lock is {}", self.whose(before, node))
            }
            (_, Reply::Released) => format!("{node:?} releases the lock of {who}"),
            (_, _) => format!("{node:?} has nothing to release for {who}"),
        }
    }

    /// The outcome of a reply.
    fn outcome(&self, before: &State, after: &State, id: usize) -> String {
        match (phase(before, id), phase(after, id)) {
            (Some(Phase::Acquiring(..)), Some(Phase::Holding(lease))) => {
                let (first, last) = (number(lease.tokens.first.get()), number(lease.tokens.last.get()));
                match name(id) {
                    who if first == last => format!(": {who} holds token {last}"),
                    who => format!(": {who} holds the tokens from {first} to {last}"),
                }
            }
            (Some(Phase::Acquiring(..)), Some(Phase::Over(_))) => format!(": {} has lost", name(id)),
            (Some(Phase::Acquiring(..)), Some(Phase::Acquiring(..))) => {
                let seals = |state: &State| {
                    let channels = state.attempts.get(id).map(|attempt| attempt.channels.iter()).into_iter().flatten();
                    let sealing = channels.zip(self.ids()).filter_map(|(channel, node)| {
                        let seal = |in_flight: &InFlightRequest| {
                            if let Verb::Seal { token } = in_flight.verb { Some(token) } else { None }
                        };
                        Some((node, channel.requests.iter().find_map(seal)?))
                    });
                    sealing.collect::<Vec<_>>()
                };
                let old = seals(before);
                let new: Vec<_> = seals(after).into_iter().filter(|seal| !old.contains(seal)).collect();
                let nodes: NodeSet = new.iter().map(|(node, _)| *node).collect();
                new.first()
                    .map(|(_, token)| format!(", and asks {} to seal token {}", list(nodes), number(*token)))
                    .unwrap_or_default()
            }
            (Some(Phase::Extending(..)), Some(Phase::Holding(lease))) => {
                let extended = after.broken.is_some()
                    || before
                        .attempts
                        .get(id)
                        .and_then(|a| a.phase.lease())
                        .is_some_and(|b| b.valid_until < lease.valid_until);
                if extended {
                    format!(": the lease of {} is extended", name(id))
                } else {
                    ": the extension is over".to_owned()
                }
            }
            _ => String::new(),
        }
    }

    fn at<'s>(&self, state: &'s State, node: NodeId) -> Option<&'s Server> {
        state.servers.get(node.index()).map(|server| &**server)
    }

    /// The owner of the lock on a node.
    fn lock_of(&self, state: &State, node: NodeId) -> String {
        let occupant = self.at(state, node).and_then(|server| self.occupant(&mut server.clone(), state.wall()));
        match occupant {
            Some(id) => name(id),
            None if state.foreign.has_lock_of(node) => "the foreign client".to_owned(),
            None => "nobody".to_owned(),
        }
    }

    fn whose(&self, state: &State, node: NodeId) -> String {
        match self.lock_of(state, node).as_str() {
            "nobody" => "gone".to_owned(),
            other => format!("{other}'s"),
        }
    }
}

fn reply_words(in_flight: &InFlightReply) -> String {
    match &in_flight.reply {
        Reply::Granted { counter } => format!("granted with counter {}", number(*counter)),
        Reply::Sealed => "sealed".to_owned(),
        Reply::Extended => "extended".to_owned(),
        Reply::Refused(_) => "refused".to_owned(),
        Reply::Failed(fault) => fault.to_string(),
        other => format!("answered {other:?}"),
    }
}

fn channel(state: &State, attempt: usize, node: NodeId) -> Option<&super::attempt::Channel> {
    state.attempts.get(attempt).and_then(|attempt: &Arc<Attempt>| attempt.channels.get(node.index()))
}

fn phase(state: &State, attempt: usize) -> Option<&Phase> {
    state.attempts.get(attempt).map(|attempt| &attempt.phase)
}

fn all_nodes(world: &World) -> NodeSet {
    NodeSet::first(world.setup.nodes)
}

fn counters(world: &World, state: &State) -> String {
    let counters: Vec<_> = state.servers.iter().map(|server| number(world.counter(server)).to_string()).collect();
    counters.join(", ")
}

/// `n1, n2 and n3`.
fn list(nodes: NodeSet) -> String {
    let names: Vec<_> = nodes.iter().map(|node| format!("{node:?}")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => "nobody".to_owned(),
    }
}
