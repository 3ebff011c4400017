//! The promises that must hold.

use std::sync::Arc;

use redfence::protocol::{Reply, Request, TokenBlock, Verb};
use redfence::verifier::{Rule, Verdict};
use redfence::{FencingToken, NodeSet, Occupant, WallTime};

use super::Mutant;
use super::attempt::Lease;
use super::state::State;
use super::violation::Violation;
use super::world::World;

impl World {
    /// A lease was returned.
    pub(super) fn check_won(&self, state: &mut State, id: usize, lease: &Lease) {
        let tokens = same_token(state, id, lease.tokens).or_else(|| out_of_order(state, id, lease.tokens));
        let tokens = tokens.or_else(|| unfenced(state));
        let found = tokens.or_else(|| self.two_holders(state, id)).or_else(|| self.held_by_both(state));
        state.broken = found.or_else(|| self.overstated(state, id, lease));
    }

    /// A lease was handed over. Its new owner began with the attempt, or, under a mutant, just now.
    pub(super) fn check_handed_over(&self, state: &mut State, id: usize) {
        let is_late = self.is(Mutant::HandOverToLatecomers);
        let Some(TokenBlock { last, .. }) = tokens_of(state, id) else { return };
        let before = |other: usize| other != id && (is_late || is_newer(state, id, other));
        let newer = state.leases().find(|(other, its)| before(*other) && its.last >= last);
        let order = newer.map(|(other, its)| Violation::OutOfOrder((other, its.last), (id, last)));
        state.broken = order.or_else(|| self.two_holders(state, id));
    }

    /// A lease was extended. When the extension began, `newest` was the greatest returned token.
    pub(super) fn check_extended(&self, state: &mut State, id: usize, newest: Option<FencingToken>) {
        let last = tokens_of(state, id).map(|tokens| tokens.last);
        state.broken = newest.filter(|newest| Some(*newest) > last).map(|newest| Violation::Bridged(id, newest));
    }

    /// If locks last, no other attempt believes in its lease.
    fn two_holders(&self, state: &State, id: usize) -> Option<Violation> {
        let believes = |other: &usize| {
            *other != id && state.attempts.get(*other).is_some_and(|attempt| attempt.phase.lease().is_some())
        };
        let other = (0..state.attempts.len()).find(believes).filter(|_| self.locks_last())?;
        Some(Violation::TwoHolders(other.min(id), other.max(id)))
    }

    /// If locks last and no node forgot one, a quorum must have the lock at least as long as its holder may believe.
    fn overstated(&self, state: &State, id: usize, lease: &Lease) -> Option<Violation> {
        if !self.locks_last() || state.restarts > 0 || self.setup.mutant.is_some() {
            return None;
        }
        let subject = self.subjects.get(id)?;
        let at_the_end: WallTime = state.wall().after(lease.valid_until.since(state.moment()));
        let request = Request { subject: Arc::clone(subject), verb: Verb::Inspect };
        let holding = self.ids().zip(&state.servers).filter(|(_, server)| {
            let reply = server.node.clone().apply(at_the_end, &request);
            matches!(reply, Reply::Inspected(view) if view.lock.held_by().and_then(Occupant::holder) == Some(&subject.holder))
        });
        let holding: NodeSet = holding.map(|(node, _)| node).collect();
        let has_anchor = self.quorum.anchor().is_none_or(|anchor| holding.contains(anchor));
        (holding.len() < self.quorum.needed() || !has_anchor).then_some(Violation::Overstated(id))
    }
}

fn tokens_of(state: &State, id: usize) -> Option<TokenBlock> {
    state.attempts.get(id)?.phase.tokens()
}

fn each_of(tokens: TokenBlock) -> impl Iterator<Item = FencingToken> {
    std::iter::successors(Some(tokens), |tokens| tokens.rest()).map(|tokens| tokens.first)
}

/// A lease owns all tokens of its block, used or not.
fn same_token(state: &State, id: usize, tokens: TokenBlock) -> Option<Violation> {
    let overlap = |its: &TokenBlock| its.first <= tokens.last && tokens.first <= its.last;
    let (other, its) = state.leases().find(|(other, its)| *other != id && overlap(its))?;
    Some(Violation::SameToken(other.min(id), other.max(id), its.last.min(tokens.last)))
}

/// Even the first token of the block must be above the last token of every earlier lease.
fn out_of_order(state: &State, id: usize, TokenBlock { first, .. }: TokenBlock) -> Option<Violation> {
    let (other, its) = state.leases().find(|(other, its)| is_newer(state, id, *other) && its.last >= first)?;
    Some(Violation::OutOfOrder((other, its.last), (id, first)))
}

/// Each present or past holder may write at any time, in any order, whether or not it believes, and more than once.
/// The shipped rule must handle every such order.
fn unfenced(state: &State) -> Option<Violation> {
    let all_of = |(id, tokens)| each_of(tokens).map(move |token| (id, token));
    let leases: Vec<_> = state.leases().flat_map(all_of).collect();
    for first in &leases {
        for second in &leases {
            for third in &leases {
                if let Some(found) = unfenced_in(state, &[*first, *second, *third]) {
                    return Some(found);
                }
            }
        }
    }
    None
}

/// Whether `newer` began after the lease of `older` had been returned.
fn is_newer(state: &State, newer: usize, older: usize) -> bool {
    state.attempts.get(newer).is_some_and(|attempt| attempt.earlier >> older & 1 == 1)
}

/// Gives writes to the shipped rule, one after the other.
fn unfenced_in(state: &State, writes: &[(usize, FencingToken)]) -> Option<Violation> {
    let mut highest = None;
    let mut accepted: Vec<usize> = Vec::new();
    for (writer, token) in writes {
        if Rule::AcceptEqual.judge(*token, highest) == Verdict::Admitted {
            let is_behind = |other: &&usize| is_newer(state, **other, *writer) || Some(*token) < highest;
            if let Some(newer) = accepted.iter().find(is_behind) {
                return Some(Violation::Unfenced(*writer, *newer));
            }
            highest = Some(*token);
            accepted.push(*writer);
        }
    }
    None
}
