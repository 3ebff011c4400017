//! Fenced writes in MariaDB and MySQL.

use redfence::{FencingToken, Resource};
use redfence_sql::mysql as statements;
use redfence_sql::{from_bigint, judge, judge_update};
use sqlx::mysql::{MySql, MySqlArguments, MySqlConnection, MySqlDatabaseError};
use sqlx::query::{Query, QueryScalar};
use sqlx::{Connection, Transaction, query, query_scalar};

use crate::{BigInt, Error};

/// Admits `token` in the transaction that `connection` is in, and holds the fence of `resource` until that transaction ends.
///
/// Call it before the first read of the transaction: `admit(&mut *transaction, …)`. Why it fences, on which isolation
/// level: [`redfence_sql::mysql`]. It cannot be called with a pool, whose next statement may run on another connection.
///
/// # Errors
///
/// [`Error::Stale`] when a newer holder has written: roll back, acquire the lock again. [`Error::Retry`] when the
/// transaction met another one: roll back, run it again with the same token. [`Error::NoTransaction`] when `begin` was not
/// called on this connection by way of sqlx. Nothing was written in any case.
///
/// # Cancel safety
///
/// Dropping the future leaves the transaction open, with the fence held or not: roll back.
pub async fn admit(connection: &mut MySqlConnection, resource: &Resource, token: FencingToken) -> Result<(), Error> {
    if !connection.is_in_transaction() {
        return Err(Error::NoTransaction);
    }
    query(statements::ADMIT)
        .bind(resource.as_str())
        .bind(BigInt(token))
        .execute(&mut *connection)
        .await
        .map_err(refused)?;
    let highest =
        query_scalar(statements::ADMITTED).bind(resource.as_str()).fetch_one(connection).await.map_err(refused)?;
    judge(token, highest)
}

/// The highest token that was admitted for `resource`, without holding it: for people and metrics, never in front of a
/// write.
///
/// # Errors
///
/// [`Error::Database`] when it could not be read.
///
/// # Cancel safety
///
/// Changes nothing.
pub async fn highest(connection: &mut MySqlConnection, resource: &Resource) -> Result<Option<FencingToken>, Error> {
    let highest: Option<i64> =
        query_scalar(statements::HIGHEST).bind(resource.as_str()).fetch_optional(connection).await.map_err(refused)?;
    highest.map(from_bigint).transpose()
}

/// Runs a fenced UPDATE of a table of your own, such as [`statements::EXAMPLE_UPDATE`], and asks `highest` for the row's
/// token if no row was updated.
///
/// `update` has to set the token and to ask for `token <= …` in its WHERE. Within a transaction the row is held until that
/// ends; without one the UPDATE is a transaction of its own.
///
/// # Errors
///
/// [`Error::Stale`], [`Error::Missing`] if there is no such row, [`Error::Retry`] as of [`admit`]; nothing was written then.
/// Without a transaction also [`Error::Unknown`], when the answer did not come.
///
/// # Cancel safety
///
/// Dropping the future leaves the row updated or not; within a transaction, roll back.
pub async fn update<'q>(
    connection: &mut MySqlConnection,
    token: FencingToken,
    update: Query<'q, MySql, MySqlArguments>,
    highest: QueryScalar<'q, MySql, i64, MySqlArguments>,
) -> Result<(), Error> {
    let read = if connection.is_in_transaction() { refused } else { unanswered };
    let rows = update.execute(&mut *connection).await.map_err(read)?.rows_affected();
    let highest = match rows {
        0 => highest.fetch_optional(connection).await.map_err(refused)?,
        _ => None,
    };
    judge_update(token, rows, highest)
}

/// Commits, and tells an unknown outcome from a refusal.
///
/// # Errors
///
/// [`Error::Unknown`] when the answer did not come: the writes happened, all or none. [`Error::Retry`] and
/// [`Error::Database`] when they did not happen.
///
/// # Cancel safety
///
/// Dropping the future leaves the outcome unknown.
pub async fn commit(transaction: Transaction<'_, MySql>) -> Result<(), Error> {
    transaction.commit().await.map_err(unanswered)
}

/// What it means that a statement of yours failed in the transaction: [`Error::Retry`] or [`Error::Database`].
///
/// For `map_err`, so that what the database asks to be run again is not taken for an error.
pub fn refused(error: sqlx::Error) -> Error {
    if must_retry(&error) { Error::Retry(Some(error)) } else { Error::Database(error) }
}

/// The failure of a statement that commits.
fn unanswered(error: sqlx::Error) -> Error {
    if must_retry(&error) { Error::Retry(Some(error)) } else { Error::Unknown(error) }
}

fn must_retry(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
    error.is_some_and(|error| statements::must_retry(error.number()))
}
