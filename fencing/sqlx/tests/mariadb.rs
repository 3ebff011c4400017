//! The adapter for MariaDB and MySQL, on a real MariaDB.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

mod stage;

use redfence::{FencingToken, Resource};
use redfence_sql::mysql as statements;
use redfence_sql::testing::{Answer, Checked, FencedStore, Mutation, Refusal, Session, check};
use redfence_sqlx::{BigInt, Error, mysql};
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, Executor, MySql, MySqlPool, Transaction};
use stage::{failed, falls, mutants_fall, runtime, support, wrong_statement};
use tokio::runtime::Runtime;

const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];

struct Store {
    server: support::MariaDb,
    runtime: Runtime,
    observer: MySqlPool,
    level: &'static str,
    /// Statements that replace the adapter's: a mutant.
    admit: Option<String>,
}

struct Open<'a> {
    store: &'a Store,
    transaction: Option<Transaction<'static, MySql>>,
    line: Option<support::Proxy>,
}

impl Store {
    fn start() -> Self {
        let (server, runtime) = (support::MariaDb::start(), runtime());
        let observer = MySqlPoolOptions::new().max_connections(1);
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
        let level = format!("SET SESSION TRANSACTION ISOLATION LEVEL {}", self.level);
        let begin = async {
            let pool = MySqlPoolOptions::new().max_connections(1).connect(&support::MariaDb::url_at(line.port)).await?;
            pool.execute(AssertSqlSafe(level)).await?;
            pool.begin().await
        };
        let transaction = Some(self.runtime.block_on(begin).map_err(failed)?);
        Ok(Box::new(Open { store: self, transaction, line: Some(line) }))
    }

    fn another_waits(&self) -> bool {
        // Not innodb_trx: it is a copy that is not refreshed while it is read often.
        let waiting = "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS \
                       WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS'";
        let count: i64 = self.runtime.block_on(sqlx::query_scalar(waiting).fetch_one(&self.observer)).expect(waiting);
        count > 0
    }
}

session!(MySql, mysql, statements,
    put: "INSERT INTO orders (id, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE value = VALUES(value)",
    read: "SELECT value FROM orders WHERE id = ?",
    delete: "DELETE FROM orders WHERE id = ?",
    update: |id, token, value| sqlx::query(statements::EXAMPLE_UPDATE).bind(value).bind(token).bind(id).bind(token)
);

/// The first statement of `wrong` takes the resource and the token, the second one the resource.
async fn wrong_admit(to: &mut MySqlConnection, wrong: &str, resource: &Resource, token: FencingToken) -> Answer<()> {
    let (admit, admitted) = wrong.split_once("\n;\n").expect("two statements");
    let admit = sqlx::query(AssertSqlSafe(admit)).bind(resource.as_str()).bind(BigInt(token));
    admit.execute(&mut *to).await.map_err(refused)?;
    let admitted = sqlx::query_scalar(AssertSqlSafe(admitted)).bind(resource.as_str());
    let highest: i64 = admitted.fetch_optional(to).await.map_err(refused)?.unwrap_or_default();
    // A mutant admits if the row is missing in its snapshot, or lower.
    Ok(redfence_sql::judge::<sqlx::Error>(token, highest.max(redfence_sql::bigint(token)))?)
}

fn refused(error: sqlx::Error) -> Refusal {
    let number = error.as_database_error().and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
    match number.map(MySqlDatabaseError::number) {
        Some(number) if statements::must_retry(number) => Refusal::Retry(error.to_string()),
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
    let whole = format!("{}\n;\n{}", statements::ADMIT, statements::ADMITTED);
    for (wrong, with) in [
        ("GREATEST(token, VALUES(token))", "VALUES(token)"),
        ("GREATEST(token, VALUES(token))", "LEAST(token, VALUES(token))"),
        // A fence that has expired, simulated in the statement.
        ("GREATEST(token, VALUES(token))", "IF(NOW() >= NOW(), VALUES(token), token)"),
        // Reads the snapshot instead of the row.
        (" FOR UPDATE", ""),
        // Names are compared without case.
        ("VALUES (?,", "VALUES (LOWER(?),"),
    ] {
        store.admit = wrong_statement(&whole, wrong, with);
        store.level = "REPEATABLE READ";
        falls(&store, &format!("{wrong}: {with}"));
    }
}

#[test]
fn without_a_transaction_nothing_is_admitted() {
    let store = Store::start();
    let (orders, one) = (Resource::new("orders").unwrap(), FencingToken::new(1).unwrap());
    store.runtime.block_on(async {
        let mut connection = store.observer.acquire().await.unwrap();
        let alone = mysql::admit(&mut connection, &orders, one).await;
        assert!(matches!(alone, Err(Error::NoTransaction)), "{alone:?}");
        assert_eq!(mysql::highest(&mut connection, &orders).await.unwrap(), None);
    });
}

/// The default level reads a snapshot: a value that was read before the admission is older than the write of the newer
/// holder, while the admission's locking read is current. So the docs say: present the token before the first read.
#[test]
fn the_admission_reads_behind_the_snapshot() {
    let store = Store::start();
    let (orders, five, six) =
        (Resource::new("orders").unwrap(), FencingToken::new(5).unwrap(), FencingToken::new(6).unwrap());
    store.runtime.block_on(async {
        let second = MySqlPool::connect(&store.server.url()).await.unwrap();
        let mut older = second.begin().await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM redfence_fence").fetch_one(&mut *older).await.unwrap();
        assert_eq!(rows, 0);
        let mut newer = store.observer.begin().await.unwrap();
        mysql::admit(&mut newer, &orders, six).await.unwrap();
        mysql::commit(newer).await.unwrap();
        assert_eq!(mysql::highest(&mut older, &orders).await.unwrap(), None, "the snapshot");
        let refused = mysql::admit(&mut older, &orders, five).await;
        assert!(matches!(refused, Err(Error::Stale { highest }) if highest == six), "{refused:?}");
    });
}
