#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod claim;

pub use claim::{Claim, claim, highest, key};
pub use redfence_claim as words;

/// Why a claim or a fenced transaction did not happen, or may not have.
pub type Error = redfence_claim::ClaimError<etcd_client::Error>;
