#![doc = include_str!("../README.md")]

mod token;

pub use redfence_sql as sql;
pub use token::BigInt;

use redfence::{FencingToken, Resource};
use redfence_sql::sqlite as statements;
use redfence_sql::{from_bigint, judge, judge_update};
use rusqlite::{Connection, OptionalExtension, Params, Transaction, params};

/// Why a fenced write did not happen, or may not have.
pub type Error = redfence_sql::FenceError<rusqlite::Error>;

/// Admits `token` in the transaction that `connection` is in, and holds the fence of `resource` until that transaction ends.
///
/// Call it before the first read of the transaction: `admit(&transaction, …)`.
///
/// # Errors
///
/// [`Error::Stale`] when a newer holder has written: roll back, acquire the lock again. [`Error::Retry`] when the write
/// lock could not be taken: roll back, run the transaction again with the same token. [`Error::NoTransaction`] outside
/// of one. Nothing was written in any case.
pub fn admit(connection: &Connection, resource: &Resource, token: FencingToken) -> Result<(), Error> {
    if connection.is_autocommit() {
        return Err(Error::NoTransaction);
    }
    let mut statement = connection.prepare_cached(statements::ADMIT).map_err(refused)?;
    let highest = statement.query_row(params![resource.as_str(), BigInt(token)], |row| row.get(0)).map_err(refused)?;
    judge(token, highest)
}

/// The highest token that was admitted for `resource`, without holding the fence: for humans and metrics, never as a
/// check before a write.
///
/// # Errors
///
/// [`Error::Database`] when it could not be read.
pub fn highest(connection: &Connection, resource: &Resource) -> Result<Option<FencingToken>, Error> {
    let mut statement = connection.prepare_cached(statements::HIGHEST).map_err(refused)?;
    let highest = statement.query_row([resource.as_str()], |row| row.get(0)).optional().map_err(refused)?;
    highest.map(from_bigint).transpose()
}

/// Runs a fenced UPDATE of your own table, such as [`statements::EXAMPLE_UPDATE`], and asks `highest` for the row's
/// token if no row was updated. Both are a statement and its parameters.
///
/// `update` has to set the token and to ask for `token <= …` in its WHERE. In a transaction SQLite's write lock is held
/// until the transaction ends; otherwise the UPDATE is its own transaction.
///
/// # Errors
///
/// [`Error::Stale`], [`Error::Missing`] if there is no such row, [`Error::Retry`] as with [`admit`]; nothing was
/// written then. Without a transaction also [`Error::Unknown`], when writing the file failed halfway.
pub fn update(
    connection: &Connection,
    token: FencingToken,
    update: (&str, impl Params),
    highest: (&str, impl Params),
) -> Result<(), Error> {
    let failed = if connection.is_autocommit() { unanswered } else { refused };
    let rows = connection.execute(update.0, update.1).map_err(failed)?;
    if rows > 0 {
        return Ok(());
    }
    let highest = connection.query_row(highest.0, highest.1, |row| row.get(0)).optional().map_err(refused)?;
    judge_update(token, 0, highest)
}

/// Commits, and distinguishes an unknown outcome from a refusal.
///
/// # Errors
/// [`Error::Unknown`] when writing the file failed halfway: all writes happened, or none. [`Error::Retry`] and
/// [`Error::Database`] when they did not happen.
pub fn commit(transaction: Transaction<'_>) -> Result<(), Error> {
    transaction.commit().map_err(unanswered)
}

/// Converts the error of one of your statements in the transaction: [`Error::Retry`] or [`Error::Database`]. For
/// `map_err`, so that a transaction that must be run again is not reported as another error.
pub fn refused(error: rusqlite::Error) -> Error {
    match result_code(&error) {
        Some(code) if statements::must_retry(code) => Error::Retry(Some(error)),
        _ => Error::Database(error),
    }
}

fn unanswered(error: rusqlite::Error) -> Error {
    match result_code(&error) {
        Some(code) if statements::must_retry(code) => Error::Retry(Some(error)),
        Some(code) if statements::rolled_back(code) => Error::Database(error),
        _ => Error::Unknown(error),
    }
}

fn result_code(error: &rusqlite::Error) -> Option<i32> {
    Some(error.sqlite_error()?.extended_code)
}
