//! Fenced writes in MariaDB and MySQL.

use redfence::{FencingToken, Resource};
use redfence_sql::mysql as statements;
use redfence_sql::{from_bigint, judge, judge_update};
use sqlx::mysql::{MySql, MySqlArguments, MySqlConnection, MySqlDatabaseError};
use sqlx::{Connection, query, query_scalar};

use crate::adapter::adapter;
use crate::{BigInt, Error};

/// Admits `token` in the transaction that `connection` is in, and holds the fence of `resource` until that transaction ends.
///
/// Call it before the first read of the transaction: `admit(&mut *transaction, …)`. Why it fences, on which isolation
/// level: [`redfence_sql::mysql`]. It cannot be called with a pool, whose next statement may run on another connection.
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

adapter!(MySqlConnection, MySql, MySqlArguments);

/// A failed statement does not end the transaction, except a deadlock: see [`redfence_sql::mysql`].
#[expect(clippy::unused_async, reason = "as in PostgreSQL, where it asks the server")]
async fn before_commit(_: &mut MySqlConnection) -> Result<(), Error> {
    Ok(())
}

fn must_retry(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
    error.is_some_and(|error| statements::must_retry(error.number()))
}

/// MySQL has no error of a commit that proves a rollback.
const fn rolled_back(_: &sqlx::Error) -> bool {
    false
}
