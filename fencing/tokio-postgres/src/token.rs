//! [`BigInt`]: a token as a column.

use std::error::Error;

use redfence::FencingToken;
use redfence_sql::{FenceError, bigint, from_bigint};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// A fencing token as a `bigint`, to be sent and read without a cast: `&BigInt(token)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BigInt(pub FencingToken);

impl ToSql for BigInt {
    fn to_sql(&self, column: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        bigint(self.0).to_sql(column, to)
    }

    accepts!(INT8);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for BigInt {
    fn from_sql(column: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let token: Result<_, FenceError<tokio_postgres::Error>> = from_bigint(i64::from_sql(column, bytes)?);
        Ok(Self(token?))
    }

    accepts!(INT8);
}
