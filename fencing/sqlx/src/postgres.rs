//! Fenced writes in PostgreSQL.

use redfence::{FencingToken, Resource};
use redfence_sql::postgres as statements;
use redfence_sql::{from_bigint, judge, judge_update};
use sqlx::postgres::{PgArguments, PgConnection, Postgres};
use sqlx::{Connection, Executor as _, query_scalar};

use crate::adapter::adapter;
use crate::{BigInt, Error};

/// Admits `token` in the transaction that `connection` is in, and holds the fence of `resource` until that transaction ends.
///
/// Call it before the first read of the transaction: `admit(&mut *transaction, …)`. Why it fences, on which isolation
/// level: [`redfence_sql::postgres`]. It cannot be called with a pool, whose next statement may run on another connection.
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
pub async fn admit(connection: &mut PgConnection, resource: &Resource, token: FencingToken) -> Result<(), Error> {
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

adapter!(PgConnection, Postgres, PgArguments);

/// PostgreSQL reports success for the COMMIT of a transaction in which a statement has failed.
async fn before_commit(connection: &mut PgConnection) -> Result<(), Error> {
    connection.execute(statements::BEFORE_COMMIT).await.map(|_| ()).map_err(refused)
}

fn must_retry(error: &sqlx::Error) -> bool {
    sqlstate(error).is_some_and(|code| statements::must_retry(&code))
}

fn rolled_back(error: &sqlx::Error) -> bool {
    sqlstate(error).is_some_and(|code| statements::rolled_back(&code))
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
