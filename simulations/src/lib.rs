//! Runs the shipped protocol machines against the shipped node state, with the worst of networks in between.
//!
//! ```text
//!   choices ──▶ World: deliver · lose · expire · forget · time out · cancel · begin ──▶ History ──▶ T1, T2, X
//! ```
//!
//! A [`World`] has no network, no clock and no randomness: each step is one number, drawn by a seed or by a property
//! test, and the same numbers give the same run. A [`Mutant`] takes one of the tempting short cuts, to show that the
//! checks see what goes wrong.

mod attempt;
mod history;
mod mutant;
mod oracle;
mod run;
pub mod stream;
mod world;

pub use history::{History, Issued, Violation};
pub use mutant::Mutant;
pub use run::{Figures, run_seed};
pub use world::{Setup, World};
