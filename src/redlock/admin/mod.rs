//! The calls for operators.

mod bootstrap;
mod handle;
mod inspect;
mod list;
mod operate;

pub use crate::redlock::error::BootstrapError;
pub use handle::Admin;
pub use inspect::{Agreement, Inspection, Row};
pub use list::{Listed, Listing, Partial};
pub use operate::{ForceOutcome, Forced, ForcedAt, ForcedRow, Reset, ResetError};
