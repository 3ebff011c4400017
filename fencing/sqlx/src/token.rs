//! [`BigInt`]: a token as a column.

use redfence::FencingToken;
use redfence_sql::{bigint, from_bigint};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Encode, Type};

/// A fencing token as a `BIGINT`, to be bound and read without a cast: `query.bind(BigInt(token))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BigInt(pub FencingToken);

impl From<FencingToken> for BigInt {
    fn from(token: FencingToken) -> Self {
        Self(token)
    }
}

impl From<BigInt> for FencingToken {
    fn from(BigInt(token): BigInt) -> Self {
        token
    }
}

impl<DB: Database> Type<DB> for BigInt
where
    i64: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        i64::type_info()
    }

    fn compatible(column: &DB::TypeInfo) -> bool {
        i64::compatible(column)
    }
}

impl<'q, DB: Database> Encode<'q, DB> for BigInt
where
    i64: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        bigint(self.0).encode_by_ref(buffer)
    }
}

impl<'r, DB: Database> Decode<'r, DB> for BigInt
where
    i64: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(from_bigint::<sqlx::Error>(i64::decode(value)?)?))
    }
}
