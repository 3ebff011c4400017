//! The names of attempts, which are used again.

use redfence::protocol::Reply;

use super::message::{ToNode, ToProcess};
use super::state::State;
use super::world::{NAMES, World};

impl World {
    /// A name for the next attempt of a process: one that no node, no message and no other process refers to.
    pub(super) fn free_name(&self, state: &State, process: usize) -> usize {
        let on_nodes = |name| self.ids().any(|node| self.taken_by(state, node) == Some((process, name)));
        let of_process = |name| {
            let Some(is) = state.processes.get(process) else { return false };
            let sent =
                |message: &ToNode| matches!(message, ToNode::Grant(one, _) | ToNode::Release(one, _) if *one == name);
            let replied = |back: &ToProcess| matches!(back, ToProcess::Reply(one, _) if *one == name);
            is.channels.iter().any(|channel| channel.to_node.iter().any(sent) || channel.to_process.iter().any(replied))
                || is.round().is_some_and(|round| round.name == name)
        };
        let met = |name: usize| {
            let bit = self.bit(process, name);
            state.processes.iter().any(|other| other.round().is_some_and(|round| round.met & bit != 0))
        };
        let refused_with = |name| {
            let names_it = |back: &ToProcess| match back {
                ToProcess::Reply(_, Reply::Refused(view)) => self.named(&view.lock) == Some((process, name)),
                _ => false,
            };
            state
                .processes
                .iter()
                .any(|other| other.channels.iter().any(|channel| channel.to_process.iter().any(names_it)))
        };
        let is_free = |name: &usize| !on_nodes(*name) && !of_process(*name) && !met(*name) && !refused_with(*name);
        (0..NAMES).find(is_free).unwrap_or_default()
    }

    pub(super) const fn bit(&self, process: usize, name: usize) -> u32 {
        1 << (process * NAMES + name)
    }
}
