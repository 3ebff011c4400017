//! [`Outcome`]: how each step of the bench ends.

/// A bench that cannot continue ends with the reason.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
