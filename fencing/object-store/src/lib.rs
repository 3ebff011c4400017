#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod claim;
mod fenced_store;
mod probe;
mod record;

pub use claim::Claim;
pub use fenced_store::{FencedStore, Found};
pub use redfence_claim as words;

/// Why a claim or a fenced write did not happen, or may not have.
pub type Error = redfence_claim::ClaimError<object_store::Error>;
