//! The adapter for PostgreSQL, on real servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

mod stage;

use redfence::{FencingToken, Resource};
use redfence_sql::postgres as statements;
use redfence_sql::testing::{Answer, Checked, FencedStore, Mutation, Refusal, Session, check};
use redfence_sqlx::{BigInt, Error, postgres};
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgPool, Postgres, Transaction};
use stage::{failed, falls, mutants_fall, runtime, support, wrong_statement};
use tokio::runtime::Runtime;

const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];

struct Store {
    server: support::Postgres,
    runtime: Runtime,
    observer: PgPool,
    level: &'static str,
    /// A statement that replaces the adapter's: a mutant.
    admit: Option<String>,
}

struct Open<'a> {
    store: &'a Store,
    transaction: Option<Transaction<'static, Postgres>>,
    line: Option<support::Proxy>,
}

impl Store {
    fn start() -> Self {
        let (server, runtime) = (support::Postgres::start(), runtime());
        let observer = PgPoolOptions::new().max_connections(1);
        let observer = runtime.block_on(observer.connect(&server.url())).expect("a connection");
        for statement in [statements::MIGRATION, statements::EXAMPLE_TABLE] {
            runtime.block_on(observer.execute(statement)).expect(statement);
        }
        Self { server, runtime, observer, level: LEVELS[0], admit: None }
    }
}

impl FencedStore for Store {
    fn begin(&self) -> Answer<Box<dyn Session + '_>> {
        let line = support::Proxy::to(self.server.port());
        let level = format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {}", self.level);
        let begin = async {
            let pool = PgPoolOptions::new().max_connections(1).connect(&support::Postgres::url_at(line.port)).await?;
            pool.execute(AssertSqlSafe(level)).await?;
            pool.begin().await
        };
        let transaction = Some(self.runtime.block_on(begin).map_err(failed)?);
        Ok(Box::new(Open { store: self, transaction, line: Some(line) }))
    }

    fn another_waits(&self) -> bool {
        let waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        self.runtime.block_on(sqlx::query_scalar(waiting).fetch_one(&self.observer)).expect(waiting)
    }
}

session!(Postgres, postgres, statements,
    put: "INSERT INTO orders (id, value) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET value = excluded.value",
    read: "SELECT value FROM orders WHERE id = $1",
    delete: "DELETE FROM orders WHERE id = $1",
    update: |id, token, value| sqlx::query(statements::EXAMPLE_UPDATE).bind(id).bind(token).bind(value)
);

async fn wrong_admit(to: &mut PgConnection, wrong: &str, resource: &Resource, token: FencingToken) -> Answer<()> {
    let query = sqlx::query_scalar(AssertSqlSafe(wrong)).bind(resource.as_str()).bind(BigInt(token));
    let highest: i64 = query.fetch_one(to).await.map_err(refused)?;
    Ok(redfence_sql::judge::<sqlx::Error>(token, highest)?)
}

/// Why a statement of the test was refused.
fn refused(error: sqlx::Error) -> Refusal {
    let code = error.as_database_error().and_then(|error| Some(error.code()?.into_owned()));
    match code {
        Some(code) if statements::must_retry(&code) => Refusal::Retry(error.to_string()),
        _ => failed(error),
    }
}

#[test]
fn the_suite_holds_on_every_isolation_level() {
    let mut store = Store::start();
    for level in LEVELS {
        store.level = level;
        assert_eq!(check(&store, level), Ok(Checked { unheard: true }), "{level}");
    }
}

#[test]
fn the_suite_refuses_every_mutant() {
    let mut store = Store::start();
    mutants_fall(&store, &Mutation::ALL);
    let whole = statements::ADMIT;
    for (wrong, with) in [
        ("greatest(fence.token, excluded.token)", "excluded.token"),
        ("greatest(fence.token, excluded.token)", "least(fence.token, excluded.token)"),
        // A fence that has expired, simulated in the statement.
        ("greatest(fence.token, excluded.token)", "CASE WHEN now() >= now() THEN excluded.token ELSE fence.token END"),
        // Names are compared without case.
        ("VALUES ($1,", "VALUES (lower($1),"),
    ] {
        store.admit = wrong_statement(whole, wrong, with);
        falls(&store, with);
    }
}

#[test]
fn without_a_transaction_nothing_is_admitted() {
    let store = Store::start();
    let (orders, one) = (Resource::new("orders").unwrap(), FencingToken::new(1).unwrap());
    store.runtime.block_on(async {
        let mut connection = store.observer.acquire().await.unwrap();
        let alone = postgres::admit(&mut connection, &orders, one).await;
        assert!(matches!(alone, Err(Error::NoTransaction)), "{alone:?}");
        assert_eq!(postgres::highest(&mut connection, &orders).await.unwrap(), None);
        let mut transaction = connection.begin().await.unwrap();
        postgres::admit(&mut transaction, &orders, one).await.unwrap();
        postgres::commit(transaction).await.unwrap();
        assert_eq!(postgres::highest(&mut connection, &orders).await.unwrap(), Some(one));
        let read: BigInt =
            sqlx::query_scalar(statements::HIGHEST).bind("orders").fetch_one(&mut *connection).await.unwrap();
        assert_eq!(read, BigInt(one));
    });
}

/// The server ends the session between the claim and the write, as an administrator or a failover does.
#[test]
fn a_session_that_the_server_ends_leaves_nothing_and_is_not_stale() {
    let store = Store::start();
    let (orders, nine) = (Resource::new("orders").unwrap(), FencingToken::new(9).unwrap());
    store.runtime.block_on(async {
        let mut connection = PgConnection::connect(&store.server.url()).await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        postgres::admit(&mut transaction, &orders, nine).await.unwrap();
        let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *transaction).await.unwrap();
        let ended: bool = sqlx::query_scalar("SELECT pg_terminate_backend($1, 10000)")
            .bind(process)
            .fetch_one(&store.observer)
            .await
            .unwrap();
        assert!(ended);
        let again = postgres::admit(&mut transaction, &orders, nine).await;
        assert!(matches!(again, Err(Error::Database(_))), "{again:?}");
        // It ended before the COMMIT was sent, so the outcome is known.
        let commit = postgres::commit(transaction).await;
        assert!(matches!(commit, Err(Error::Database(_))), "{commit:?}");
        let mut other = store.observer.acquire().await.unwrap();
        assert_eq!(postgres::highest(&mut other, &orders).await.unwrap(), None);
    });
}

/// PostgreSQL answers the COMMIT of such a transaction without an error, and writes nothing.
#[test]
fn a_transaction_in_which_a_statement_failed_is_not_reported_as_committed() {
    let store = Store::start();
    let (orders, nine) = (Resource::new("orders").unwrap(), FencingToken::new(9).unwrap());
    store.runtime.block_on(async {
        let mut connection = PgConnection::connect(&store.server.url()).await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        postgres::admit(&mut transaction, &orders, nine).await.unwrap();
        transaction.execute("INSERT INTO orders (id, value) VALUES ('a', 1)").await.unwrap();
        transaction.execute("INSERT INTO orders (id, value) VALUES ('a', 2)").await.unwrap_err();
        let commit = postgres::commit(transaction).await;
        assert!(matches!(commit, Err(Error::Database(_))), "{commit:?}");
        assert_eq!(postgres::highest(&mut connection, &orders).await.unwrap(), None);
    });
}

#[test]
fn a_wait_that_lock_timeout_ends_is_a_retry() {
    let store = Store::start();
    let (orders, nine) = (Resource::new("orders").unwrap(), FencingToken::new(9).unwrap());
    store.runtime.block_on(async {
        let mut one = PgConnection::connect(&store.server.url()).await.unwrap();
        let mut other = PgConnection::connect(&store.server.url()).await.unwrap();
        let mut held = one.begin().await.unwrap();
        postgres::admit(&mut held, &orders, nine).await.unwrap();
        let mut waiting = other.begin().await.unwrap();
        waiting.execute("SET LOCAL lock_timeout = '20ms'").await.unwrap();
        let refused = postgres::admit(&mut waiting, &orders, nine).await;
        assert!(matches!(refused, Err(Error::Retry(Some(_)))), "{refused:?}");
    });
}

/// Without this setting the newer holder would wait as long as the older one is paused.
#[test]
fn a_holder_that_stands_still_inside_its_transaction_is_ended_and_a_newer_one_passes() {
    let store = Store::start();
    let orders = Resource::new("orders").unwrap();
    let [eight, nine] = [8, 9].map(|number| FencingToken::new(number).unwrap());
    store.runtime.block_on(async {
        let mut older = PgConnection::connect(&store.server.url()).await.unwrap();
        let mut newer = PgConnection::connect(&store.server.url()).await.unwrap();
        let mut paused = older.begin().await.unwrap();
        paused.execute("SET LOCAL idle_in_transaction_session_timeout = '200ms'").await.unwrap();
        postgres::admit(&mut paused, &orders, eight).await.unwrap();
        paused.execute("INSERT INTO orders (id, value) VALUES ('late', 1)").await.unwrap();
        let mut transaction = newer.begin().await.unwrap();
        postgres::admit(&mut transaction, &orders, nine).await.unwrap();
        postgres::commit(transaction).await.unwrap();
        let late = postgres::commit(paused).await;
        assert!(matches!(late, Err(Error::Database(_))), "{late:?}");
        let written: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&mut newer).await.unwrap();
        assert_eq!((written, postgres::highest(&mut newer, &orders).await.unwrap()), (0, Some(nine)));
    });
}
