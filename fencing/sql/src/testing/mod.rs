//! The suite that every fenced store must pass, and broken stores that it must refuse.
//!
//! A test builds a store over an adapter. The store opens sessions, each on its own connection, on a table of rows with
//! an id, a value and a token. The calls block, so that adapters with and without `async` can run the same suite.

mod form;
mod mutant;
mod race;
mod steps;
mod unheard;

use std::fmt;

use redfence::{FencingToken, Resource};

use crate::FenceError;

pub use mutant::{Mutant, Mutation};

/// The answer of a session to a call.
pub type Answer<T> = Result<T, Refusal>;

/// [`FenceError`] without the driver's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// See [`FenceError::Stale`].
    Stale {
        /// The highest token accepted for the resource.
        highest: FencingToken,
    },
    /// See [`FenceError::Missing`].
    Missing,
    /// See [`FenceError::Retry`].
    Retry(String),
    /// See [`FenceError::Unknown`].
    Unknown(String),
    /// Anything else.
    Failed(String),
}

impl<E: fmt::Display> From<FenceError<E>> for Refusal {
    fn from(error: FenceError<E>) -> Self {
        let text = error.to_string();
        match error {
            FenceError::Stale { highest } => Self::Stale { highest },
            FenceError::Missing => Self::Missing,
            FenceError::Retry(_) => Self::Retry(text),
            FenceError::Unknown(_) => Self::Unknown(text),
            _ => Self::Failed(text),
        }
    }
}

/// A database with a fence and a table of rows, which no other program uses meanwhile.
pub trait FencedStore: Sync {
    /// Begins a transaction on a new connection.
    ///
    /// # Errors
    /// [`Refusal::Failed`] if no connection can be opened.
    fn begin(&self) -> Answer<Box<dyn Session + '_>>;

    /// Whether a session waits for a lock that another one holds. `false` if sessions never wait.
    fn another_waits(&self) -> bool;
}

/// One transaction. Dropping it rolls back.
///
/// # Errors
///
/// Every call answers with the [`Refusal`] that the adapter gave.
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
pub trait Session: Send {
    /// The adapter's admission, in this transaction.
    fn admit(&mut self, resource: &Resource, token: FencingToken) -> Answer<()>;

    /// The highest token, read without a lock.
    fn highest(&mut self, resource: &Resource) -> Answer<Option<FencingToken>>;

    /// Sets the value of a row, with any token. Creates the row if there is none.
    fn write(&mut self, id: &str, value: i64) -> Answer<()>;

    /// The value of a row.
    fn read(&mut self, id: &str) -> Answer<Option<i64>>;

    /// The adapter's fenced UPDATE of the row.
    fn update(&mut self, id: &str, token: FencingToken, value: i64) -> Answer<()>;

    /// Deletes the row.
    fn delete(&mut self, id: &str) -> Answer<()>;

    /// The adapter's commit.
    fn commit(self: Box<Self>) -> Answer<()>;

    /// Ends the connection without a message to the server, as a crash of this process does.
    fn crash(self: Box<Self>);

    /// Commits on a connection that breaks: before the COMMIT reaches the server, or, if it `arrives`, before the
    /// answer comes back. `None` if there is no connection that could break.
    fn commit_unheard(self: Box<Self>, arrives: bool) -> Option<Answer<()>>;
}

/// The rule that a store breaks, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The row of the suite.
    pub row: &'static str,
    /// What happened instead.
    pub instead: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks the rule \"{}\": {}", self.row, self.instead)
    }
}

impl std::error::Error for Broken {}

/// Which rows of the suite were run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Whether the store could show a commit that is not answered.
    pub unheard: bool,
}

/// Runs the suite. `fresh` begins the names of resources and rows, which the store must never have seen.
///
/// # Errors
///
/// [`Broken`] with the first rule that does not hold.
pub fn check(store: &dyn FencedStore, fresh: &str) -> Result<Checked, Broken> {
    type Row = fn(&Stage<'_>) -> Result<(), String>;
    let rows: [(&'static str, Row); 18] = [
        ("a lower token is stale, an equal or greater one passes", steps::order),
        ("an older holder does not write behind a newer one", race::older_first),
        ("an older holder that waited is stale", race::newer_first),
        ("tokens are exact up to the greatest", steps::exact),
        ("names are compared byte for byte", steps::names),
        ("a fence outlives the transaction and the row", steps::outlives),
        ("a refused token is not stored", steps::not_stored),
        ("a refused batch leaves nothing behind", steps::nothing_behind),
        ("an update of a newer holder's row is stale", form::order),
        ("an update of no row is missing", form::missing),
        ("a deleted row is missing", form::deleted),
        ("two updates at once follow one another", form::two_at_once),
        ("a read before the admission hides no newer holder", race::read_first),
        ("a rollback takes the token back", race::rolled_back),
        ("two tasks of one holder both pass", race::equal),
        ("a deadlock is a retry, not stale", race::deadlock),
        ("no update is lost", race::increments),
        ("a crash between the admission and the commit leaves nothing", unheard::crash),
    ];
    for (number, (row, run)) in rows.into_iter().enumerate() {
        let stage = Stage { store, fresh: format!("{fresh}/{number}") };
        run(&stage).map_err(|instead| Broken { row, instead })?;
    }
    let mut unheard = true;
    for arrives in [false, true] {
        let row = "a commit that is not answered is unknown, and can be read back";
        let stage = Stage { store, fresh: format!("{fresh}/unheard {arrives}") };
        unheard &= unheard::commit(&stage, arrives).map_err(|instead| Broken { row, instead })?;
    }
    Ok(Checked { unheard })
}

/// The store and the names of one row of the suite.
struct Stage<'a> {
    store: &'a dyn FencedStore,
    fresh: String,
}
