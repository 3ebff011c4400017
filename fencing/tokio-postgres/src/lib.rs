#![doc = include_str!("../README.md")]

mod token;

pub use redfence_sql as sql;
pub use token::BigInt;

use redfence::{FencingToken, Resource};
use redfence_sql::postgres as statements;
use redfence_sql::{from_bigint, judge, judge_update};
use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, Transaction};

/// Why a fenced write did not happen, or may not have.
pub type Error = redfence_sql::FenceError<tokio_postgres::Error>;

/// A statement and its parameters.
pub type Statement<'a> = (&'a str, &'a [&'a (dyn ToSql + Sync)]);

/// Admits `token` in `transaction`, and holds the fence of `resource` until that transaction ends.
///
/// Call it before the first read of the transaction.
///
/// # Errors
///
/// [`Error::Stale`] when a newer holder has written: roll back, acquire the lock again. [`Error::Retry`] when the
/// transaction conflicted with another one: roll back, run it again with the same token. Nothing was written in any
/// case.
///
/// # Cancel safety
///
/// Dropping the future leaves the transaction open, with the fence held or not: roll back.
pub async fn admit(transaction: &Transaction<'_>, resource: &Resource, token: FencingToken) -> Result<(), Error> {
    let row = transaction.query_one(statements::ADMIT, &[&resource.as_str(), &BigInt(token)]).await.map_err(refused)?;
    judge(token, row.try_get(0).map_err(refused)?)
}

/// The highest token that was admitted for `resource`, without holding the fence: for humans and metrics, never as a
/// check before a write.
///
/// # Errors
///
/// [`Error::Database`] when it could not be read.
///
/// # Cancel safety
///
/// Changes nothing.
pub async fn highest(client: &impl GenericClient, resource: &Resource) -> Result<Option<FencingToken>, Error> {
    let row = client.query_opt(statements::HIGHEST, &[&resource.as_str()]).await.map_err(refused)?;
    row.map(|row| from_bigint(row.try_get(0).map_err(refused)?)).transpose()
}

/// Runs a fenced UPDATE of your own table, such as [`statements::EXAMPLE_UPDATE`], and asks `highest` for the row's
/// token if no row was updated.
///
/// `update` has to set the token and to ask for `token <= …` in its WHERE. The row is held until the transaction ends.
///
/// # Errors
///
/// [`Error::Stale`], [`Error::Missing`] if there is no such row, [`Error::Retry`] as with [`admit`]; nothing was
/// written then.
///
/// # Cancel safety
///
/// Dropping the future leaves the row updated or not: roll back.
pub async fn update(
    transaction: &Transaction<'_>,
    token: FencingToken,
    update: Statement<'_>,
    highest: Statement<'_>,
) -> Result<(), Error> {
    let rows = transaction.execute(update.0, update.1).await.map_err(refused)?;
    if rows > 0 {
        return Ok(());
    }
    let row = transaction.query_opt(highest.0, highest.1).await.map_err(refused)?;
    judge_update(token, rows, row.map(|row| row.try_get(0)).transpose().map_err(refused)?)
}

/// Commits, and distinguishes an unknown outcome from a refusal. Two round trips: the first finds a transaction whose COMMIT
/// would write nothing and report success ([`statements::BEFORE_COMMIT`]).
///
/// # Errors
///
/// [`Error::Unknown`] when the answer did not come: all writes happened, or none. [`Error::Retry`] and
/// [`Error::Database`] when they did not happen, also when an earlier statement had failed and the caller went on.
///
/// # Cancel safety
///
/// Dropping the future leaves the outcome unknown.
pub async fn commit(transaction: Transaction<'_>) -> Result<(), Error> {
    transaction.batch_execute(statements::BEFORE_COMMIT).await.map_err(refused)?;
    transaction.commit().await.map_err(|error| match error.code().map(|code| code.code()) {
        Some(code) if statements::must_retry(code) => Error::Retry(Some(error)),
        Some(code) if statements::rolled_back(code) => Error::Database(error),
        _ => Error::Unknown(error),
    })
}

/// Converts the error of one of your statements in the transaction: [`Error::Retry`] or [`Error::Database`]. For
/// `map_err`, so that a transaction that must be run again is not reported as another error.
pub fn refused(error: tokio_postgres::Error) -> Error {
    match error.code() {
        Some(code) if statements::must_retry(code.code()) => Error::Retry(Some(error)),
        _ => Error::Database(error),
    }
}
