//! Runs the shipped lock under the worst faults, and judges the result.
//!
//! ```text
//!   seed ──▶ Plan ──▶ harness::run ──▶ History ──▶ invariant::judge ──▶ Violation ──▶ shrink
//! ```
//! [`model`] searches every state of small worlds, with the shipped machines and the shipped node state. [`waiting`]
//! does the same for processes that wait. A [`Plan`] is data: what each client does when, and what goes wrong. A
//! [`Mutant`] takes one of the tempting short cuts, to show that the checks catch it. A [`Workload`](workload::Workload)
//! is code of your own that runs in such a world.

pub mod harness;
pub mod history;
pub mod html;
pub mod invariant;
pub mod model;
pub mod plan;
pub mod scenario;
pub mod stream;
pub mod waiting;
pub mod workload;

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
