//! Fenced writes in SQLite.

use redfence::{FencingToken, Resource};
use redfence_sql::sqlite as statements;
use redfence_sql::{from_bigint, judge, judge_update};
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::{Connection, query_scalar};

use crate::adapter::adapter;
use crate::{BigInt, Error};

/// Admits `token` in the transaction that `connection` is in, and holds the fence of `resource` until that transaction ends.
///
/// Call it before the first read of the transaction: `admit(&mut *transaction, …)`. Why it fences, on which isolation
/// level: [`redfence_sql::sqlite`]. It cannot be called with a pool, whose next statement may run on another connection.
///
/// # Errors
///
/// [`Error::Stale`] when a newer holder has written: roll back, acquire the lock again. [`Error::Retry`] when the
/// transaction conflicted with another one: roll back, run it again with the same token. [`Error::NoTransaction`] when
/// `begin` was not called on this connection through sqlx. Nothing was written in any case.
///
/// # Cancel safety
///
/// Dropping the future leaves the transaction open, with the fence held or not: roll back.
pub async fn admit(connection: &mut SqliteConnection, resource: &Resource, token: FencingToken) -> Result<(), Error> {
    if !connection.is_in_transaction() {
        return Err(Error::NoTransaction);
    }
    let highest = query_scalar(statements::ADMIT)
        .bind(resource.as_str())
        .bind(BigInt(token))
        .fetch_one(connection)
        .await
        .map_err(refused)?;
    judge(token, highest)
}

adapter!(SqliteConnection, Sqlite, SqliteArguments);

/// A COMMIT fails if SQLite has ended the transaction before.
#[expect(clippy::unused_async, reason = "as in PostgreSQL, where it asks the server")]
async fn before_commit(_: &mut SqliteConnection) -> Result<(), Error> {
    Ok(())
}

fn must_retry(error: &sqlx::Error) -> bool {
    result_code(error).is_some_and(statements::must_retry)
}

fn rolled_back(error: &sqlx::Error) -> bool {
    result_code(error).is_some_and(statements::rolled_back)
}

fn result_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}
