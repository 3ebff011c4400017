//! What can go wrong.

use crate::Resource;

/// What another program left at a key may be of any size.
const LEN_MAX: usize = 200;

fn one_line(text: &str) -> String {
    text.chars().take(LEN_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The server gave no verdict: the write must not be taken for done.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no verdict for {resource}: {reason}")]
#[non_exhaustive]
pub struct StoreError {
    /// What was to be written.
    pub resource: Resource,
    /// What the server or the connection said.
    pub reason: String,
}

impl StoreError {
    pub(super) fn of(resource: &Resource, reason: &str) -> Self {
        Self { resource: resource.clone(), reason: one_line(reason) }
    }
}
