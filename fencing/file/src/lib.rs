#![doc = include_str!("../README.md")]

mod content;
mod disk;
mod error;
mod fence;

pub use error::FileError;
pub use fence::{Admitted, FileFence};
