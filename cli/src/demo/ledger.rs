//! [`Ledger`]: the data that the lock protects, with or without fencing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use redfence::verifier::{MemoryStore, Rule, StaleToken};
use redfence::{FencingToken, Resource};

/// A balance that every holder raises by one: it reads the balance, pauses, and writes the new one.
pub(super) struct Ledger {
    pub(super) resource: Resource,
    verifier: Option<MemoryStore>,
    book: Mutex<Book>,
}

/// The history of the ledger.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub(super) balance: u64,
    /// The token of every write that was accepted, in the order of the writes.
    pub(super) accepted: Vec<FencingToken>,
    pub(super) refused: u64,
}

impl Ledger {
    pub(super) fn new(resource: Resource, fenced: bool) -> Self {
        Self { resource, verifier: fenced.then(MemoryStore::new), book: Mutex::default() }
    }

    /// Returns the balance. With fencing, a token counts from its first read: after a newer holder has read, an older
    /// holder may not write.
    pub(super) fn read(&self, token: FencingToken) -> Result<u64, StaleToken> {
        self.checked(token, |book| book.balance)
    }

    /// Replaces the balance and returns the old one.
    pub(super) fn write(&self, token: FencingToken, balance: u64) -> Result<u64, StaleToken> {
        let written = self.checked(token, |book| {
            book.accepted.push(token);
            std::mem::replace(&mut book.balance, balance)
        });
        if written.is_err() {
            self.book().refused += 1;
        }
        written
    }

    pub(super) fn seen(&self) -> Book {
        self.book().clone()
    }

    /// Runs `access`. With fencing, check and access are one step.
    fn checked<T>(&self, token: FencingToken, access: impl FnOnce(&mut Book) -> T) -> Result<T, StaleToken> {
        match &self.verifier {
            Some(verifier) => verifier.write(&self.resource, token, Rule::AcceptEqual, || access(&mut self.book())),
            None => Ok(access(&mut self.book())),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(fenced: bool) -> Ledger {
        Ledger::new(Resource::new("ledger").unwrap(), fenced)
    }

    /// The well-known example: the older holder reads, the newer one reads and writes, then the older one writes.
    fn story(ledger: &Ledger) -> Result<u64, StaleToken> {
        let (older, newer) = (FencingToken::new(1).unwrap(), FencingToken::new(2).unwrap());
        let old_read = ledger.read(older)?;
        let new_read = ledger.read(newer)?;
        assert_eq!(ledger.write(newer, new_read + 1), Ok(new_read));
        ledger.write(older, old_read + 1)
    }

    #[test]
    fn without_fencing_the_old_read_undoes_an_update() {
        let ledger = ledger(false);
        assert_eq!(story(&ledger), Ok(1));
        let book = ledger.seen();
        assert_eq!((book.balance, book.accepted.len(), book.refused), (1, 2, 0));
    }

    #[test]
    fn with_fencing_it_is_refused() {
        let ledger = ledger(true);
        assert!(story(&ledger).is_err());
        let book = ledger.seen();
        assert_eq!((book.balance, book.accepted.len(), book.refused), (1, 1, 1));
    }
}
