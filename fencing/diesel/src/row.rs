//! Rows that the statements return.

use diesel::QueryableByName;
use diesel::sql_types::BigInt;

#[derive(QueryableByName)]
pub(crate) struct Highest {
    #[diesel(sql_type = BigInt)]
    pub(crate) token: i64,
}
