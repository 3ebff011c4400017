#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod adapter;
#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod token;

pub use redfence_sql as sql;
pub use token::BigInt;

/// Why a fenced write did not happen, or may not have.
pub type Error = redfence_sql::FenceError<sqlx::Error>;
