//! The cost of a fence: fenced and unfenced writes by turns, on servers that wait for the disk.
//!
//! ```console
//! $ cargo run --release -p redfence-sqlx --all-features --example cost
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a figure that cannot be measured ends the program")]

#[path = "../../support/mod.rs"]
mod support;

use std::time::Duration;

use redfence::{FencingToken, Resource};
use redfence_sqlx::{BigInt, sql};
use sqlx::{Connection, Executor};
use support::stopwatch::{median, now};

const ROUNDS: u64 = 1_000;

fn report(database: &str, plain: Vec<Duration>, fenced: Vec<Duration>, one: Vec<Duration>) {
    let (plain, fenced, one) = (median(plain), median(fenced), median(one));
    println!(
        "| {database} | {plain:.0} µs | {fenced:.0} µs | {:.2} | {one:.0} µs | {:.2} |",
        fenced / plain,
        one / plain
    );
}

macro_rules! measure {
    ($name:expr, $connection:expr, $module:ident, $insert:expr, $plain:expr,
     |$id:ident, $token:ident, $value:ident| $update:expr) => {{
        let connection = $connection;
        connection.execute(sql::$module::MIGRATION).await?;
        connection.execute(sql::$module::EXAMPLE_TABLE).await?;
        connection.execute($insert).await?;
        let (mut plain, mut fenced, mut one) = (Vec::new(), Vec::new(), Vec::new());
        let (order, $id) = (Resource::new("42")?, "42");
        for round in 1..=ROUNDS {
            let (token, $value) = (FencingToken::new(round)?, i64::try_from(round)?);
            let start = now();
            let mut transaction = connection.begin().await?;
            sqlx::query($plain).bind($value).execute(&mut *transaction).await?;
            transaction.commit().await?;
            plain.push(now() - start);

            let start = now();
            let mut transaction = connection.begin().await?;
            redfence_sqlx::$module::admit(&mut transaction, &order, token).await?;
            sqlx::query($plain).bind($value).execute(&mut *transaction).await?;
            redfence_sqlx::$module::commit(transaction).await?;
            fenced.push(now() - start);

            let start = now();
            let $token = BigInt(token);
            let mut transaction = connection.begin().await?;
            let highest = sqlx::query_scalar(sql::$module::EXAMPLE_HIGHEST).bind($id);
            redfence_sqlx::$module::update(&mut transaction, token, $update, highest).await?;
            redfence_sqlx::$module::commit(transaction).await?;
            one.push(now() - start);
        }
        report($name, plain, fenced, one);
    }};
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("Median of {ROUNDS} transactions in turn; the ratio is to the unfenced transaction.\n");
    println!("| database | unfenced | fence row | ratio | own column | ratio |");
    println!("|---|---|---|---|---|---|");
    let server = support::Postgres::with(&[]);
    let mut connection = sqlx::PgConnection::connect(&server.url()).await?;
    measure!(
        "PostgreSQL",
        &mut connection,
        postgres,
        "INSERT INTO orders VALUES ('42', 0, 0)",
        "UPDATE orders SET value = $1 WHERE id = '42'",
        |id, token, value| sqlx::query(sql::postgres::EXAMPLE_UPDATE).bind(id).bind(token).bind(value)
    );
    let server = support::MariaDb::with(&[]);
    let mut connection = sqlx::MySqlConnection::connect(&server.url()).await?;
    measure!(
        "MariaDB",
        &mut connection,
        mysql,
        "INSERT INTO orders VALUES ('42', 0, 0)",
        "UPDATE orders SET value = ? WHERE id = '42'",
        |id, token, value| sqlx::query(sql::mysql::EXAMPLE_UPDATE).bind(value).bind(token).bind(id).bind(token)
    );
    let dir = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", dir.path().join("data.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await?;
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").await?;
    measure!(
        "SQLite, WAL",
        &mut connection,
        sqlite,
        "INSERT INTO orders VALUES ('42', 0, 0)",
        "UPDATE orders SET value = ?1 WHERE id = '42'",
        |id, token, value| sqlx::query(sql::sqlite::EXAMPLE_UPDATE).bind(id).bind(token).bind(value)
    );
    Ok(())
}
