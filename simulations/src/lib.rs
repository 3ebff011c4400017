//! Runs the shipped lock in the worst of worlds, and judges what came of it.
//!
//! ```text
//!   seed ──▶ Plan ──▶ harness::run ──▶ History ──▶ invariant::judge ──▶ Violation ──▶ shrink
//! ```
//!
//! [`model`] searches small worlds to their end, with the shipped machines and the shipped node state; [`waiting`] does
//! so with those of waiting.
//!
//! A [`Plan`] is data: who wants what when, and what goes wrong. A [`Mutant`] takes one of the tempting short cuts, to
//! show that the checks see what goes wrong.

pub mod harness;
pub mod history;
pub mod html;
pub mod invariant;
pub mod model;
pub mod plan;
pub mod scenario;
pub mod stream;
pub mod waiting;

mod campaign;
mod level;
mod mutant;
mod seeded_rng;
mod shrink;
mod timeline;

pub use campaign::{Campaign, Fallen, Report};
pub use level::Level;
pub use mutant::Mutant;
pub use plan::{Plan, Profile, Scale};
pub use seeded_rng::SeededRng;
pub use shrink::shrink;
pub use timeline::{Lane, Mark, MarkKind, Span, SpanKind, Timeline};
