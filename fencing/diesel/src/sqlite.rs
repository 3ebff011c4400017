//! Fenced writes in SQLite.

use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{OptionalExtension, RunQueryDsl, sql_query};
use redfence::{FencingToken, Resource};
use redfence_sql::sqlite as statements;
use redfence_sql::{bigint, from_bigint, judge, judge_update};

use crate::error::{Error, refused};
use crate::row::Highest;

/// Begins a transaction, admits `token`, runs `work` and commits. A refusal, or an error of `work`, rolls back. Inside
/// a transaction it is a savepoint, and the fence is held until the outer transaction ends.
///
/// # Errors
///
/// [`Error::Stale`] when a newer holder has written: acquire the lock again. [`Error::Retry`] when the transaction
/// conflicted with another one: run it again with the same token. [`Error::Unknown`] when the commit was not answered.
/// Also the error of `work`.
pub fn transaction<T>(
    connection: &mut SqliteConnection,
    resource: &Resource,
    token: FencingToken,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, Error>,
) -> Result<T, Error> {
    // A COMMIT fails if SQLite has ended the transaction before.
    crate::transaction::transaction(connection, |connection| admit(connection, resource, token), work, |_| Ok(()))
}

/// Admits `token` in the transaction that `connection` is in, and holds the fence of `resource` until that transaction ends:
/// for a second resource in [`transaction`]. diesel does not say whether there is a transaction; **without one this fences
/// nothing**.
///
/// # Errors
/// The same as [`transaction`].
pub fn admit(connection: &mut SqliteConnection, resource: &Resource, token: FencingToken) -> Result<(), Error> {
    let query = sql_query(statements::ADMIT).bind::<Text, _>(resource.as_str()).bind::<BigInt, _>(bigint(token));
    let Highest { token: highest } = query.get_result(connection).map_err(refused)?;
    judge(token, highest)
}

/// The highest token that was admitted for `resource`, without holding the fence: for humans and metrics, never as a
/// check before a write.
///
/// # Errors
///
/// [`Error::Database`] when it could not be read.
pub fn highest(connection: &mut SqliteConnection, resource: &Resource) -> Result<Option<FencingToken>, Error> {
    let query = sql_query(statements::HIGHEST).bind::<Text, _>(resource.as_str());
    let row: Option<Highest> = query.get_result(connection).optional().map_err(refused)?;
    row.map(|row| from_bigint(row.token)).transpose()
}

/// Judges a fenced UPDATE of your own table that found `rows` rows, such as [`statements::EXAMPLE_UPDATE`]. If it found
/// none, the row's token says why. Call it in the transaction of the UPDATE.
///
/// # Errors
///
/// [`Error::Stale`], [`Error::Missing`] if there is no such row, [`Error::Retry`] if it changed meanwhile.
pub fn judge_rows(
    connection: &mut SqliteConnection,
    token: FencingToken,
    rows: usize,
    highest: impl FnOnce(&mut SqliteConnection) -> diesel::QueryResult<i64>,
) -> Result<(), Error> {
    if rows > 0 {
        return Ok(());
    }
    judge_update(token, 0, highest(connection).optional().map_err(refused)?)
}
