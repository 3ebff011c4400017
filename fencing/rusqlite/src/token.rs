//! [`BigInt`]: a token as a column.

use redfence::FencingToken;
use redfence_sql::{FenceError, bigint, from_bigint};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// A fencing token as an `INTEGER`, to be bound and read without a cast: `params![BigInt(token)]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BigInt(pub FencingToken);

impl ToSql for BigInt {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(bigint(self.0).into())
    }
}

impl FromSql for BigInt {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let token: Result<_, FenceError<rusqlite::Error>> = from_bigint(value.as_i64()?);
        token.map(Self).map_err(|error| FromSqlError::Other(error.to_string().into()))
    }
}
