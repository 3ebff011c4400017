//! The adapter for SQLite, on a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

mod stage;

use std::time::Duration;

use redfence::{FencingToken, Resource};
use redfence_sql::sqlite as statements;
use redfence_sql::testing::{Answer, Checked, FencedStore, Mutation, Refusal, Session, check};
use redfence_sqlx::{BigInt, Error, sqlite};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, Sqlite, SqlitePool, Transaction};
use stage::{failed, falls, mutants_fall, runtime, support, wrong_statement};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const WAL: &str = "PRAGMA journal_mode = WAL";
const DELETE: &str = "PRAGMA journal_mode = DELETE";

struct Store {
    dir: TempDir,
    runtime: Runtime,
    /// A statement that replaces the adapter's: a mutant.
    admit: Option<String>,
}

struct Open<'a> {
    store: &'a Store,
    transaction: Option<Transaction<'static, Sqlite>>,
    /// A file has no connection that could break.
    line: Option<support::Proxy>,
}

impl Store {
    fn make(journal: &'static str) -> Self {
        let store = Self { dir: tempfile::tempdir().unwrap(), runtime: runtime(), admit: None };
        let pool = store.runtime.block_on(store.connect()).expect("a file");
        // Set once, because the file keeps it, and each change needs a lock.
        store.runtime.block_on(pool.execute(journal)).expect(journal);
        for statement in [statements::MIGRATION, statements::EXAMPLE_TABLE] {
            store.runtime.block_on(pool.execute(statement)).expect(statement);
        }
        store
    }

    /// With a short busy timeout, so that a session that would wait soon gets *retry*.
    async fn connect(&self) -> sqlx::Result<SqlitePool> {
        let file = SqliteConnectOptions::new().filename(self.dir.path().join("data.db")).create_if_missing(true);
        let file = file.busy_timeout(Duration::from_millis(50));
        SqlitePoolOptions::new().max_connections(1).connect_with(file).await
    }
}

impl FencedStore for Store {
    fn begin(&self) -> Answer<Box<dyn Session + '_>> {
        let begin = async { self.connect().await?.begin().await };
        let transaction = Some(self.runtime.block_on(begin).map_err(refused)?);
        Ok(Box::new(Open { store: self, transaction, line: None }))
    }

    fn another_waits(&self) -> bool {
        false
    }
}

session!(Sqlite, sqlite, statements,
    put: "INSERT INTO orders (id, value) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET value = excluded.value",
    read: "SELECT value FROM orders WHERE id = ?1",
    delete: "DELETE FROM orders WHERE id = ?1",
    update: |id, token, value| sqlx::query(statements::EXAMPLE_UPDATE).bind(id).bind(token).bind(value)
);

async fn wrong_admit(to: &mut SqliteConnection, wrong: &str, resource: &Resource, token: FencingToken) -> Answer<()> {
    let query = sqlx::query_scalar(AssertSqlSafe(wrong)).bind(resource.as_str()).bind(BigInt(token));
    let highest: i64 = query.fetch_one(to).await.map_err(refused)?;
    Ok(redfence_sql::judge::<sqlx::Error>(token, highest)?)
}

fn refused(error: sqlx::Error) -> Refusal {
    let code = error.as_database_error().and_then(|error| error.code()?.parse().ok());
    match code {
        Some(code) if statements::must_retry(code) => Refusal::Retry(error.to_string()),
        _ => failed(error),
    }
}

#[test]
fn the_suite_holds_with_both_journals() {
    for journal in [WAL, DELETE] {
        assert_eq!(check(&Store::make(journal), "suite"), Ok(Checked { unheard: false }), "{journal}");
    }
}

#[test]
fn the_suite_refuses_every_mutant() {
    let mut store = Store::make(WAL);
    // These mutants need answers that can be lost, or reads without a lock. A file has neither: a check without a lock
    // fails with SQLITE_BUSY_SNAPSHOT.
    let mutations = Mutation::ALL.into_iter().filter(|m| !matches!(m, Mutation::UnknownIsDone | Mutation::NoLock));
    mutants_fall(&store, &mutations.collect::<Vec<_>>());
    let whole = statements::ADMIT;
    for (wrong, with) in [
        ("max(fence.token, excluded.token)", "excluded.token"),
        ("max(fence.token, excluded.token)", "min(fence.token, excluded.token)"),
        // A fence that has expired, simulated in the statement.
        ("max(fence.token, excluded.token)", "iif(datetime() >= datetime(), excluded.token, fence.token)"),
        // Names are compared without case.
        ("VALUES (?1,", "VALUES (lower(?1),"),
    ] {
        store.admit = wrong_statement(whole, wrong, with);
        falls(&store, with);
    }
}

#[test]
fn without_a_transaction_nothing_is_admitted() {
    let store = Store::make(WAL);
    let (orders, one) = (Resource::new("orders").unwrap(), FencingToken::new(1).unwrap());
    store.runtime.block_on(async {
        let mut connection = store.connect().await.unwrap().acquire().await.unwrap();
        let alone = sqlite::admit(&mut connection, &orders, one).await;
        assert!(matches!(alone, Err(Error::NoTransaction)), "{alone:?}");
        let mut transaction = connection.begin().await.unwrap();
        sqlite::admit(&mut transaction, &orders, one).await.unwrap();
        sqlite::commit(transaction).await.unwrap();
        assert_eq!(sqlite::highest(&mut connection, &orders).await.unwrap(), Some(one));
    });
}
