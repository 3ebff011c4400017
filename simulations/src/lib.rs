//! Runs the shipped lock in the worst of worlds, and judges what came of it.
//!
//! ```text
//!   seed ──▶ Plan ──▶ farm::run ──▶ History ──▶ invariant::judge ──▶ Violation ──▶ shrink
//! ```
//!
//! A [`Plan`] is data: who wants what when, and what goes wrong. A [`mutant`] takes one of the tempting short cuts, to
//! show that the checks see what goes wrong.

pub mod farm;
pub mod history;
pub mod invariant;
pub mod mutant;
pub mod plan;
pub mod stream;

mod dice;

pub use dice::Dice;
pub use mutant::Mutant;
pub use plan::{Plan, Profile, Scale};
