//! The adapter, on a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

#[path = "../../support/falls.rs"]
#[expect(unreachable_pub, reason = "it is a part of the support of other members")]
mod falls;

use std::time::Duration;

use falls::falls;
use redfence::{FencingToken, Resource};
use redfence_rusqlite::{BigInt, Error, admit, commit, highest, refused, update};
use redfence_sql::sqlite as statements;
use redfence_sql::testing::{Answer, Checked, FencedStore, Mutant, Mutation, Session, check};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tempfile::TempDir;

struct Store {
    dir: TempDir,
    begin: &'static str,
}

struct Open(Connection);

impl Store {
    fn make(journal: &str, begin: &'static str) -> Self {
        let store = Self { dir: tempfile::tempdir().unwrap(), begin };
        let connection = store.connect();
        connection.pragma_update(None, "journal_mode", journal).expect(journal);
        for statement in [statements::MIGRATION, statements::EXAMPLE_TABLE] {
            connection.execute_batch(statement).expect(statement);
        }
        store
    }

    fn connect(&self) -> Connection {
        let connection = Connection::open(self.dir.path().join("data.db")).expect("a file");
        connection.busy_timeout(Duration::from_millis(50)).unwrap();
        connection
    }
}

impl FencedStore for Store {
    fn begin(&self) -> Answer<Box<dyn Session + '_>> {
        let connection = self.connect();
        connection.execute_batch(self.begin).map_err(refused)?;
        Ok(Box::new(Open(connection)))
    }

    fn another_waits(&self) -> bool {
        false
    }
}

impl Session for Open {
    fn admit(&mut self, resource: &Resource, token: FencingToken) -> Answer<()> {
        Ok(admit(&self.0, resource, token)?)
    }

    fn highest(&mut self, resource: &Resource) -> Answer<Option<FencingToken>> {
        Ok(highest(&self.0, resource)?)
    }

    fn write(&mut self, id: &str, value: i64) -> Answer<()> {
        let put =
            "INSERT INTO orders (id, value) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET value = excluded.value";
        self.0.execute(put, params![id, value]).map_err(refused)?;
        Ok(())
    }

    fn read(&mut self, id: &str) -> Answer<Option<i64>> {
        let read = self.0.query_row("SELECT value FROM orders WHERE id = ?1", [id], |row| row.get(0));
        Ok(read.optional().map_err(refused)?)
    }

    fn update(&mut self, id: &str, token: FencingToken, value: i64) -> Answer<()> {
        let step = (statements::EXAMPLE_UPDATE, params![id, BigInt(token), value]);
        Ok(update(&self.0, token, step, (statements::EXAMPLE_HIGHEST, [id]))?)
    }

    fn delete(&mut self, id: &str) -> Answer<()> {
        self.0.execute("DELETE FROM orders WHERE id = ?1", [id]).map_err(refused)?;
        Ok(())
    }

    fn commit(self: Box<Self>) -> Answer<()> {
        Ok(self.0.execute_batch("COMMIT").map_err(refused)?)
    }

    fn crash(self: Box<Self>) {}

    fn commit_unheard(self: Box<Self>, _: bool) -> Option<Answer<()>> {
        None
    }
}

#[test]
fn the_suite_holds_with_both_journals() {
    for journal in ["WAL", "DELETE"] {
        for begin in ["BEGIN", "BEGIN IMMEDIATE"] {
            let verdict = check(&Store::make(journal, begin), "suite");
            assert_eq!(verdict, Ok(Checked { unheard: false }), "{journal}, {begin}");
        }
    }
}

#[test]
fn the_suite_refuses_every_mutant() {
    let store = Store::make("WAL", "BEGIN");
    for mutation in Mutation::ALL {
        // These mutants need answers that can be lost, or reads without a lock. A file has neither.
        if matches!(mutation, Mutation::UnknownIsDone | Mutation::NoLock) {
            continue;
        }
        let what = format!("{mutation:?}");
        falls(&what, check(&Mutant { store: &store, mutation }, &what));
    }
}

#[test]
fn without_a_transaction_nothing_is_admitted() {
    let store = Store::make("WAL", "BEGIN");
    let mut connection = store.connect();
    let (orders, one) = (Resource::new("orders").unwrap(), FencingToken::new(1).unwrap());
    assert_eq!(admit(&connection, &orders, one), Err(Error::NoTransaction));
    let transaction: Transaction<'_> = connection.transaction().unwrap();
    admit(&transaction, &orders, one).unwrap();
    commit(transaction).unwrap();
    assert_eq!(highest(&connection, &orders), Ok(Some(one)));
    let read: BigInt = connection.query_row(statements::HIGHEST, ["orders"], |row| row.get(0)).unwrap();
    assert_eq!(read, BigInt(one));
}
