//! What operators and tools ask.

pub(crate) mod bootstrap;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod operate;
