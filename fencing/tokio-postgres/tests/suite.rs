//! The adapter, on a real server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

#[path = "../../support/mod.rs"]
mod support;

use redfence::{FencingToken, Resource};
use redfence_sql::postgres as statements;
use redfence_sql::testing::{Answer, Checked, FencedStore, Mutant, Mutation, Session, check};
use redfence_tokio_postgres::{BigInt, Error, admit, commit, highest, refused, update};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Transaction};

struct Store {
    server: support::Postgres,
    runtime: Runtime,
    observer: Client,
    level: &'static str,
}

struct Open<'a> {
    runtime: &'a Runtime,
    transaction: Option<Transaction<'static>>,
    connection: JoinHandle<()>,
    line: support::Proxy,
}

fn connect(runtime: &Runtime, url: &str) -> (Client, JoinHandle<()>) {
    let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls)).expect("a connection");
    let connection = runtime.spawn(async move {
        let _ = connection.await;
    });
    (client, connection)
}

impl Store {
    fn start() -> Self {
        let server = support::Postgres::start();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let (observer, _) = connect(&runtime, &server.url());
        for statement in [statements::MIGRATION, statements::EXAMPLE_TABLE] {
            runtime.block_on(observer.batch_execute(statement)).expect(statement);
        }
        Self { server, runtime, observer, level: "READ COMMITTED" }
    }
}

impl FencedStore for Store {
    fn begin(&self) -> Answer<Box<dyn Session + '_>> {
        let line = support::Proxy::to(self.server.port());
        let (client, connection) = connect(&self.runtime, &support::Postgres::url_at(line.port));
        // A session keeps its transaction, which borrows the client. So the client must live until the test ends.
        let client = Box::leak(Box::new(client));
        let level = format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {}", self.level);
        self.runtime.block_on(client.batch_execute(&level)).map_err(refused)?;
        let transaction = Some(self.runtime.block_on(client.transaction()).map_err(refused)?);
        Ok(Box::new(Open { runtime: &self.runtime, transaction, connection, line }))
    }

    fn another_waits(&self) -> bool {
        let waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        self.runtime.block_on(self.observer.query_one(waiting, &[])).expect(waiting).get(0)
    }
}

impl Open<'_> {
    fn transaction(&self) -> &Transaction<'static> {
        self.transaction.as_ref().unwrap()
    }
}

impl Session for Open<'_> {
    fn admit(&mut self, resource: &Resource, token: FencingToken) -> Answer<()> {
        Ok(self.runtime.block_on(admit(self.transaction(), resource, token))?)
    }

    fn highest(&mut self, resource: &Resource) -> Answer<Option<FencingToken>> {
        Ok(self.runtime.block_on(highest(self.transaction(), resource))?)
    }

    fn write(&mut self, id: &str, value: i64) -> Answer<()> {
        let put =
            "INSERT INTO orders (id, value) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET value = excluded.value";
        self.runtime.block_on(self.transaction().execute(put, &[&id, &value])).map_err(refused)?;
        Ok(())
    }

    fn read(&mut self, id: &str) -> Answer<Option<i64>> {
        let parameters: [&(dyn ToSql + Sync); 1] = [&id];
        let read = self.transaction().query_opt("SELECT value FROM orders WHERE id = $1", &parameters);
        Ok(self.runtime.block_on(read).map_err(refused)?.map(|row| row.get(0)))
    }

    fn update(&mut self, id: &str, token: FencingToken, value: i64) -> Answer<()> {
        let new: [&(dyn ToSql + Sync); 3] = [&id, &BigInt(token), &value];
        let why: [&(dyn ToSql + Sync); 1] = [&id];
        let (step, why) = ((statements::EXAMPLE_UPDATE, &new[..]), (statements::EXAMPLE_HIGHEST, &why[..]));
        Ok(self.runtime.block_on(update(self.transaction(), token, step, why))?)
    }

    fn delete(&mut self, id: &str) -> Answer<()> {
        let parameters: [&(dyn ToSql + Sync); 1] = [&id];
        let delete = self.transaction().execute("DELETE FROM orders WHERE id = $1", &parameters);
        self.runtime.block_on(delete).map_err(refused)?;
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Answer<()> {
        let transaction = self.transaction.take().unwrap();
        Ok(self.runtime.block_on(commit(transaction))?)
    }

    fn crash(self: Box<Self>) {
        self.line.cut();
    }

    fn commit_unheard(self: Box<Self>, arrives: bool) -> Option<Answer<()>> {
        self.line.cut_at_commit(arrives);
        Some(self.commit())
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        drop(self.transaction.take());
        self.connection.abort();
    }
}

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
    let store = Store::start();
    for mutation in Mutation::ALL {
        let what = format!("{mutation:?}");
        support::falls(&what, check(&Mutant { store: &store, mutation }, &what));
    }
}

/// PostgreSQL answers the COMMIT of such a transaction without an error, and writes nothing.
#[test]
fn a_transaction_in_which_a_statement_failed_is_not_reported_as_committed() {
    let store = Store::start();
    let orders = Resource::new("orders").unwrap();
    store.runtime.block_on(async {
        let (mut client, connection) = tokio_postgres::connect(&store.server.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        let transaction = client.transaction().await.unwrap();
        admit(&transaction, &orders, FencingToken::new(9).unwrap()).await.unwrap();
        transaction.batch_execute("INSERT INTO orders (id, value) VALUES ('a', 1)").await.unwrap();
        transaction.batch_execute("INSERT INTO orders (id, value) VALUES ('a', 2)").await.unwrap_err();
        let committed = commit(transaction).await;
        assert!(matches!(committed, Err(Error::Database(_))), "{committed:?}");
        assert_eq!(highest(&client, &orders).await.unwrap(), None);
    });
}
