//! [`Finding`]: one result of one check, and its answer.

/// One result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The name of the check, one word.
    pub check: &'static str,
    /// The address of the node; `None` if the finding is about the whole set.
    pub node: Option<String>,
    /// The answer.
    pub outcome: Outcome,
}

/// The answer of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// As it should be.
    Ok(String),
    /// Not as it should be.
    Bad {
        /// What is wrong.
        what: String,
        /// What can happen because of it.
        risk: &'static str,
        /// How to correct it.
        fix: &'static str,
    },
    /// The check could not be done.
    Unknown {
        /// Why.
        because: String,
    },
}

/// A finding about the set as a whole.
pub(super) fn whole(check: &'static str, outcome: Outcome) -> Vec<Finding> {
    vec![Finding { check, node: None, outcome }]
}

pub(super) fn ok(what: impl Into<String>) -> Outcome {
    Outcome::Ok(what.into())
}

pub(super) fn unknown(because: impl Into<String>) -> Outcome {
    Outcome::Unknown { because: because.into() }
}
