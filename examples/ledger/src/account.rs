//! What goes over HTTP.

use redfence::{FencingToken, Resource, ResourceError};
use serde::{Deserialize, Serialize};

/// The resource that the lock and the fence of an account are about.
///
/// # Errors
///
/// The name is too long.
pub(crate) fn resource(account: &str) -> Result<Resource, ResourceError> {
    Resource::new(format!("accounts/{account}"))
}

/// An account as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// What is on it.
    pub balance: i64,
    /// The highest token that was admitted for it.
    pub token: Option<FencingToken>,
    /// What should be on it, by the list of all transfers.
    pub expected: i64,
}

/// Everything that the page shows, but for refusals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// By name.
    pub accounts: Vec<Account>,
    /// What is on all of them.
    pub sum: i64,
    /// What was on all of them at first, and what no transfer changes.
    pub expected: i64,
    /// How many transfers were written.
    pub transfers: i64,
    /// How many requests were refused as stale since the server started.
    pub refused: u64,
    /// Whether tokens are compared.
    pub fenced: bool,
}

/// What is on an account, as its holder has read it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Balance {
    /// The amount.
    pub balance: i64,
}

/// A transfer from the account of the route: both balances as they are to be, computed from what the writer has read.
///
/// A server that adds and subtracts by itself would need no lock. Balances stand for everything that a writer
/// reads, works on and writes back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transfer {
    /// How much is moved.
    pub amount: i64,
    /// What remains on the account of the route.
    pub balance: i64,
    /// The other account.
    pub to: Target,
}

/// The account that a transfer goes to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// Its name.
    pub account: String,
    /// What is on it afterwards.
    pub balance: i64,
    /// The token of the lock on it. The header carries the one of the account of the route.
    pub token: FencingToken,
}

/// A request that came too late: a newer holder had been there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    /// Counted from 1.
    pub number: u64,
    /// Whose token was stale.
    pub account: String,
    /// What the request was about.
    pub what: What,
    /// Who sent it.
    pub writer: String,
    /// What it presented.
    pub presented: FencingToken,
    /// What the account had seen.
    pub highest: FencingToken,
}

/// What a request was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The first read of a holder, which claims the account.
    Read,
    /// The transfer.
    Write,
}
