//! The suite that every claimed store must pass, and broken stores that it must refuse.
//!
//! A store is what a test builds over an adapter: it claims names, each with a client of its own, and keeps a value for
//! each. The calls block, so that the suite needs no runtime.

mod at_once;
mod mutant;
mod steps;
mod unheard;

use std::fmt;

use redfence::FencingToken;

use crate::ClaimError;

pub use mutant::{Mutant, Mutation};

/// What a store says to a call.
pub type Answer<T> = Result<T, Refusal>;

/// [`ClaimError`] without the client's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// See [`ClaimError::Stale`].
    Stale {
        /// The highest token accepted.
        highest: FencingToken,
    },
    /// See [`ClaimError::Missing`].
    Missing,
    /// See [`ClaimError::Retry`].
    Retry,
    /// See [`ClaimError::Unknown`].
    Unknown(String),
    /// See [`ClaimError::Lost`].
    Lost {
        /// What the fence holds now.
        found: FencingToken,
    },
    /// Anything else.
    Failed(String),
}

impl<E: fmt::Display> From<ClaimError<E>> for Refusal {
    fn from(error: ClaimError<E>) -> Self {
        let text = error.to_string();
        match error {
            ClaimError::Stale { highest } => Self::Stale { highest },
            ClaimError::Missing => Self::Missing,
            ClaimError::Retry => Self::Retry,
            ClaimError::Unknown(_) => Self::Unknown(text),
            ClaimError::Lost { found } => Self::Lost { found },
            _ => Self::Failed(text),
        }
    }
}

/// A store with fences, which no other program uses meanwhile.
///
/// # Errors
///
/// Every call answers with the [`Refusal`] that the adapter gave.
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
pub trait ClaimedStore: Sync {
    /// The adapter's claim, by a client of its own.
    fn claim(&self, name: &str, token: FencingToken) -> Answer<Box<dyn Claimed + '_>>;

    /// The highest token, as a reader without a claim sees it.
    fn highest(&self, name: &str) -> Answer<Option<FencingToken>>;

    /// The value, as a reader without a claim sees it.
    fn read(&self, name: &str) -> Answer<Option<i64>>;

    /// How many parts [`Claimed::write_batch`] has left behind for the name.
    fn parts(&self, name: &str) -> Answer<usize>;

    /// Deletes the fence behind the adapter's back.
    fn remove_fence(&self, name: &str) -> Answer<()>;
}

/// How a write reaches the store whose answer the client does not hear as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It does not, and no answer comes.
    Never,
    /// It does, and no answer comes.
    Now,
    /// It does at [`Claimed::deliver`]; no answer comes.
    Late,
    /// It does, then the client repeats it by itself and is refused because of its own write.
    Twice,
}

impl Delivery {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Never, Self::Now, Self::Late, Self::Twice];
}

/// A claim. Dropping it changes nothing.
///
/// # Errors
///
/// Every call answers with the [`Refusal`] that the adapter gave.
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
pub trait Claimed: Send {
    /// The value that was found by the claim, or that was written since.
    fn read(&mut self) -> Answer<Option<i64>>;

    /// The adapter's fenced write of the value.
    fn write(&mut self, value: i64) -> Answer<()>;

    /// A fenced write of the value and of one part beside it.
    fn write_batch(&mut self, value: i64) -> Answer<()>;

    /// The adapter's fenced delete of the value.
    fn delete(&mut self) -> Answer<()>;

    /// The adapter's claim anew, with the same token.
    fn again(&mut self) -> Answer<()>;

    /// A write that is delivered so. `None` where that cannot be.
    fn write_unheard(&mut self, value: i64, delivery: Delivery) -> Option<Answer<()>>;

    /// Lets a write arrive that was held back, and waits for the store's answer, whatever it is.
    fn deliver(&mut self);

    /// Ends without a word to the store, as a crash of this process does.
    fn crash(self: Box<Self>);
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

/// Which rows about answers that are not heard were run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The deliveries that the store can show.
    pub unheard: Vec<Delivery>,
}

/// Runs the suite. `fresh` begins the names, which the store must never have seen.
///
/// # Errors
///
/// [`Broken`] with the first rule that does not hold.
pub fn check(store: &dyn ClaimedStore, fresh: &str) -> Result<Checked, Broken> {
    type Row = fn(&Stage<'_>) -> Result<(), String>;
    let rows: [(&'static str, Row); 14] = [
        ("a lower token is stale, an equal or greater one passes", steps::order),
        ("tokens are exact up to the greatest", steps::exact),
        ("names are compared byte for byte", steps::names),
        ("an older holder does not write behind a newer one", steps::overtaken),
        ("a claim fences before the first write", steps::before_the_read),
        ("a refused claim changes nothing", steps::not_stored),
        ("a refused batch leaves nothing behind", steps::nothing_behind),
        ("a deleted value stays fenced", steps::deleted),
        ("a deleted fence is missing", steps::missing),
        ("a fence that went back is lost, not admitted", steps::lost),
        ("a crash between claim and write leaves the claim and nothing else", steps::crash),
        ("two tasks of one holder both pass", at_once::equal),
        ("an older and a newer holder at once", at_once::two),
        ("no update is lost", at_once::increments),
    ];
    for (number, (row, run)) in rows.into_iter().enumerate() {
        let stage = Stage { store, fresh: format!("{fresh}/{number}") };
        run(&stage).map_err(|instead| Broken { row, instead })?;
    }
    let mut heard = Vec::new();
    for delivery in Delivery::ALL {
        let row = match delivery {
            Delivery::Twice => "a refusal because of one's own write is no refusal",
            Delivery::Late => "a claim anew keeps a late write out",
            _ => "a write that is not answered is unknown, and can be read back",
        };
        let stage = Stage { store, fresh: format!("{fresh}/{delivery:?}") };
        if unheard::write(&stage, delivery).map_err(|instead| Broken { row, instead })? {
            heard.push(delivery);
        }
    }
    Ok(Checked { unheard: heard })
}

/// The store and the names of one row of the suite.
struct Stage<'a> {
    store: &'a dyn ClaimedStore,
    fresh: String,
}
