//! The shipped lock in the worst of worlds.
//!
//! [`model`] searches small worlds to their end and walks through large ones: the shipped machines and the shipped node
//! state, with everything that may come between. A [`model::Mutant`] takes one of the tempting short cuts, to show that the
//! checks see what goes wrong.

pub mod command;
pub mod model;
