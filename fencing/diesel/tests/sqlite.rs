//! The adapter for SQLite, on a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

mod stage;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, OptionalExtension, QueryableByName, RunQueryDsl, sql_query};
use redfence::{FencingToken, Resource};
use redfence_diesel::{refused, sqlite, unanswered};
use redfence_sql::testing::{Answer, Checked, FencedStore, Mutation, Session, check};
use redfence_sql::{bigint, sqlite as statements};
use stage::{mutants_fall, support};
use tempfile::TempDir;

struct Store(TempDir);

struct Open {
    connection: SqliteConnection,
    /// A file has no connection that could break.
    line: Option<support::Proxy>,
}

impl Store {
    fn make() -> Self {
        let store = Self(tempfile::tempdir().unwrap());
        let mut connection = store.connect();
        for statement in ["PRAGMA journal_mode = WAL", statements::MIGRATION, statements::EXAMPLE_TABLE] {
            connection.batch_execute(statement).expect(statement);
        }
        store
    }

    fn connect(&self) -> SqliteConnection {
        let file = self.0.path().join("data.db");
        let mut connection = SqliteConnection::establish(file.to_str().unwrap()).expect("a file");
        connection.batch_execute("PRAGMA busy_timeout = 50").unwrap();
        connection
    }
}

impl FencedStore for Store {
    fn begin(&self) -> Answer<Box<dyn Session + '_>> {
        let mut connection = self.connect();
        AnsiTransactionManager::begin_transaction(&mut connection).map_err(refused)?;
        Ok(Box::new(Open { connection, line: None }))
    }

    fn another_waits(&self) -> bool {
        false
    }
}

session!(SqliteConnection, sqlite, statements,
    put: "INSERT INTO orders (id, value) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET value = excluded.value",
    read: "SELECT value AS number FROM orders WHERE id = ?1",
    delete: "DELETE FROM orders WHERE id = ?1"
);

#[test]
fn the_suite_holds() {
    assert_eq!(check(&Store::make(), "suite"), Ok(Checked { unheard: false }));
}

#[test]
fn the_suite_refuses_every_mutant() {
    // These mutants need answers that can be lost, or reads without a lock. A file has neither.
    mutants_fall(&Store::make(), &[Mutation::UnknownIsDone, Mutation::NoLock]);
}
