#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod judge;
pub mod mysql;
pub mod postgres;
pub mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::FenceError;
pub use judge::{bigint, from_bigint, judge, judge_update};
