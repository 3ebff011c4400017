//! [`Figures`]: what one run measured, and which promises were broken.

use redfence::FencingToken;
use serde::Serialize;

use super::crowd::Deaths;
use super::ledger::Book;
use super::outage::Outage;

/// What one run measured.
#[derive(Debug)]
pub(super) struct Figures {
    fenced: bool,
    sections: usize,
    accepted: usize,
    refused: u64,
    lost: u64,
    broken: Vec<&'static str>,
}

impl Figures {
    /// Counts the figures of one run, and checks the promises.
    pub(super) fn of(fenced: bool, book: &Book, tokens: &[FencingToken], deaths: &Deaths, outage: &Outage) -> Self {
        // Every accepted write should have raised the balance by one.
        let lost = (book.accepted.len() as u64).saturating_sub(book.balance);
        let mut broken = Vec::new();
        let mut promise = |kept: bool, what| {
            if !kept {
                broken.push(what);
            }
        };
        let mut sorted = tokens.to_vec();
        sorted.sort_unstable();
        promise(sorted.windows(2).all(|pair| pair.first() != pair.last()), "no two leases have the same token");
        promise(tokens.is_sorted(), "tokens grow from lease to lease");
        promise(deaths.sections_after.iter().all(|after| *after > 0), "acquires go on while a quorum of nodes lives");
        promise(outage.refused, "no acquire succeeds without a quorum");
        promise(outage.recovered, "acquires go on when the nodes are back");
        if fenced {
            promise(lost == 0, "with fencing no update is lost");
            promise(book.refused > 0, "with fencing a stale write is refused");
            promise(book.accepted.is_sorted(), "with fencing the tokens of accepted writes never decrease");
        } else {
            promise(lost > 0, "without fencing the old read of the first act loses an update");
        }
        Self { fenced, sections: tokens.len(), accepted: book.accepted.len(), refused: book.refused, lost, broken }
    }

    pub(super) fn broken(&self) -> impl Iterator<Item = String> {
        let run = if self.fenced { "with fencing" } else { "without fencing" };
        self.broken.iter().map(move |what| format!("a promise was broken in the run {run}: {what}"))
    }
}

/// The figures of both runs, for machines.
#[derive(Serialize)]
pub(super) struct Summary {
    event: &'static str,
    sections: usize,
    accepted: usize,
    stale_refused: u64,
    lost_without_fencing: u64,
    lost_with_fencing: u64,
    promises_broken: Vec<String>,
}

impl Summary {
    pub(super) fn of(runs: &[Figures]) -> Self {
        let lost = |fenced| runs.iter().filter(|run| run.fenced == fenced).map(|run| run.lost).sum();
        Self {
            event: "figures",
            sections: runs.iter().map(|run| run.sections).sum(),
            accepted: runs.iter().map(|run| run.accepted).sum(),
            stale_refused: runs.iter().map(|run| run.refused).sum(),
            lost_without_fencing: lost(false),
            lost_with_fencing: lost(true),
            promises_broken: runs.iter().flat_map(Figures::broken).collect(),
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.promises_broken.is_empty()
    }
}

/// Writes the last line.
impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sections, accepted, stale_refused, lost_without_fencing, lost_with_fencing, .. } = self;
        write!(
            f,
            "sections {sections} · writes accepted {accepted} · stale writes refused {stale_refused} · \
             lost updates: {lost_without_fencing} without fencing, {lost_with_fencing} with it"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(numbers: &[u64]) -> Vec<FencingToken> {
        numbers.iter().map(|number| FencingToken::new(*number).unwrap()).collect()
    }

    fn broken(fenced: bool, balance: u64, accepted: &[u64], refused: u64, leases: &[u64]) -> Vec<String> {
        let book = Book { balance, accepted: tokens(accepted), refused };
        let (deaths, outage) = (Deaths { sections_after: vec![3, 1] }, Outage { refused: true, recovered: true });
        Figures::of(fenced, &book, &tokens(leases), &deaths, &outage).broken().collect()
    }

    #[test]
    fn every_broken_promise_is_seen() {
        for (fenced, balance, accepted, refused, leases, expected) in [
            (true, 2, &[2, 3][..], 1, &[1, 2, 3][..], None),
            (false, 1, &[2, 1], 0, &[1, 2], None),
            (true, 1, &[2, 3], 1, &[1, 2, 3], Some("no update is lost")),
            (true, 2, &[3, 2], 1, &[1, 2, 3], Some("never decrease")),
            (true, 2, &[2, 3], 0, &[2, 3], Some("stale write is refused")),
            (true, 2, &[2, 3], 1, &[2, 2, 3], Some("same token")),
            (true, 2, &[2, 3], 1, &[1, 3, 2], Some("tokens grow")),
            (false, 2, &[1, 2], 0, &[1, 2], Some("loses an update")),
        ] {
            let broken = broken(fenced, balance, accepted, refused, leases);
            match expected {
                None => assert!(broken.is_empty(), "{broken:?}"),
                Some(part) => assert!(broken.len() == 1 && broken[0].contains(part), "{part}: {broken:?}"),
            }
        }
    }
}
