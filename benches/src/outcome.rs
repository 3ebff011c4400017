//! [`Outcome`]: how each step of the bench ends.

/// A bench that cannot go on says why and ends.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
