#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod judge;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::ClaimError;
pub use judge::{digits, from_digits, judge_claim, judge_refusal};
