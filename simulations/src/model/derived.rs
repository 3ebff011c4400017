//! [`Derived`]: a part of a state that follows from the rest of it.

use std::hash::{Hash, Hasher};

/// A value that follows from the rest of the state. Hash and comparison of a state leave it out.
#[derive(Debug, Clone)]
pub(super) struct Derived<T>(pub(super) T);

impl<T> PartialEq for Derived<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Derived<T> {}

impl<T> Hash for Derived<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
