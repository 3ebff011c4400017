#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cache;
mod error;
mod fenced;
pub mod lua;
mod pipeline;
mod slot;
mod store;

pub use cache::{CacheError, RedisCache};
pub use error::WriteError;
pub use fenced::{Fenced, FencedScript};
pub use pipeline::FencedPipeline;
pub use slot::hash_slot;
pub use store::FencedRedis;
