//! The adapter for PostgreSQL, on a real server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

mod stage;

use std::sync::Mutex;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::pg::PgConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, OptionalExtension, QueryableByName, RunQueryDsl, sql_query};
use redfence::{FencingToken, Resource};
use redfence_diesel::{Error, postgres, refused, unanswered};
use redfence_sql::testing::{Answer, Checked, FencedStore, Session, check};
use redfence_sql::{bigint, postgres as statements};
use stage::{mutants_fall, support};

struct Store {
    server: support::Postgres,
    observer: Mutex<PgConnection>,
    level: &'static str,
}

struct Open {
    connection: PgConnection,
    line: Option<support::Proxy>,
}

impl Store {
    fn start() -> Self {
        let server = support::Postgres::start();
        let mut observer = PgConnection::establish(&server.url()).expect("a connection");
        for statement in [statements::MIGRATION, statements::EXAMPLE_TABLE] {
            observer.batch_execute(statement).expect(statement);
        }
        Self { server, observer: Mutex::new(observer), level: "READ COMMITTED" }
    }
}

impl FencedStore for Store {
    fn begin(&self) -> Answer<Box<dyn Session + '_>> {
        let line = support::Proxy::to(self.server.port());
        let mut connection = PgConnection::establish(&support::Postgres::url_at(line.port)).expect("a connection");
        let level = format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {}", self.level);
        connection.batch_execute(&level).map_err(refused)?;
        AnsiTransactionManager::begin_transaction(&mut connection).map_err(refused)?;
        Ok(Box::new(Open { connection, line: Some(line) }))
    }

    fn another_waits(&self) -> bool {
        let waiting = "SELECT count(*) AS number FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        let count: Number = sql_query(waiting).get_result(&mut *self.observer.lock().unwrap()).expect(waiting);
        count.number > 0
    }
}

session!(PgConnection, postgres, statements,
    put: "INSERT INTO orders (id, value) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET value = excluded.value",
    read: "SELECT value AS number FROM orders WHERE id = $1",
    delete: "DELETE FROM orders WHERE id = $1"
);

#[test]
fn the_suite_holds_on_every_isolation_level() {
    let mut store = Store::start();
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        store.level = level;
        assert_eq!(check(&store, level), Ok(Checked { unheard: true }), "{level}");
    }
}

#[test]
fn the_suite_refuses_every_mutant() {
    mutants_fall(&Store::start(), &[]);
}

#[test]
fn a_transaction_admits_writes_and_commits_or_leaves_nothing() {
    let store = Store::start();
    let connection = &mut *store.observer.lock().unwrap();
    let orders = Resource::new("orders").unwrap();
    let (four, five) = (FencingToken::new(4).unwrap(), FencingToken::new(5).unwrap());
    let insert = |id: &'static str| {
        move |connection: &mut PgConnection| {
            let insert = sql_query("INSERT INTO orders (id, value) VALUES ($1, 0)").bind::<Text, _>(id);
            insert.execute(connection).map_err(refused)
        }
    };
    assert_eq!(postgres::transaction(connection, &orders, five, insert("a")), Ok(1));
    assert_eq!(postgres::transaction(connection, &orders, four, insert("b")), Err(Error::Stale { highest: five }));
    let taken = postgres::transaction(connection, &orders, five, |connection| {
        insert("c")(connection)?;
        insert("a")(connection)
    });
    assert!(matches!(taken, Err(Error::Database(_))), "{taken:?}");
    // PostgreSQL answers the COMMIT of such a transaction without an error, and writes nothing.
    let ignored = postgres::transaction(connection, &orders, five, |connection| {
        insert("d")(connection)?;
        let failed = insert("a")(connection);
        assert!(failed.is_err(), "{failed:?}");
        Ok(())
    });
    assert!(matches!(ignored, Err(Error::Database(_))), "{ignored:?}");
    let rows: Number = sql_query("SELECT count(*) AS number FROM orders").get_result(connection).unwrap();
    assert_eq!((rows.number, postgres::highest(connection, &orders)), (1, Ok(Some(five))));
}

#[test]
fn a_wait_that_lock_timeout_ends_is_a_retry() {
    let store = Store::start();
    let connect = || PgConnection::establish(&store.server.url()).unwrap();
    let (mut one, mut other) = (connect(), connect());
    let (orders, five) = (Resource::new("orders").unwrap(), FencingToken::new(5).unwrap());
    let held = postgres::transaction(&mut one, &orders, five, |_| {
        other.batch_execute("SET lock_timeout = '20ms'").unwrap();
        let waited = postgres::transaction(&mut other, &orders, five, |_| Ok(()));
        assert!(matches!(waited, Err(Error::Retry(Some(_)))), "{waited:?}");
        Ok(())
    });
    assert_eq!(held, Ok(()));
}
