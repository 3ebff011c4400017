//! A writer: moves money between two accounts while it holds the locks on both.

use std::fmt;
use std::time::Duration;

use rand::{Rng, RngExt as _};
use redfence::{AcquireError, Guard, Redlock};
use redfence_http::FENCING_TOKEN;
use redfence_http::client::{AddToken, NotSent};
use reqwest::Client;

use crate::account::{Balance, Overview, Target, Transfer, resource};

/// The most that is moved at once.
const AMOUNT_MAX: i64 = 20;
/// How long an answer of the ledger may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The pause after a failure, so that a server that is down is not asked without end.
const PAUSE: Duration = Duration::from_millis(50);

/// How a writer works.
#[derive(Debug, Clone)]
pub struct Writer {
    /// Its name, for people.
    pub name: String,
    /// Where the ledger is.
    pub ledger: String,
    /// How long it works between its last look at the locks and the write. However short: a process can stand still in between.
    pub work: Duration,
}

/// Why a transfer did not happen, or is not known to have happened.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A lock could not be acquired.
    #[error(transparent)]
    Lock(#[from] AcquireError),
    /// A lease was over before the write was sent.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// No answer.
    #[error("the ledger did not answer: {0}")]
    NoAnswer(#[from] reqwest::Error),
    /// The ledger said no.
    #[error("the ledger refused: {0}")]
    Refused(String),
}

impl Writer {
    /// Makes transfers until it is dropped.
    ///
    /// # Errors
    ///
    /// The HTTP client cannot be made.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the locks back. A transfer that was sent may happen.
    pub async fn run(&self, lock: &Redlock, rng: &mut impl Rng) -> Result<(), reqwest::Error> {
        let client = Client::builder().user_agent(&self.name).timeout(ANSWER_MAX).no_proxy().build()?;
        let mut accounts = Vec::new();
        loop {
            let done = async {
                if accounts.is_empty() {
                    accounts = self.accounts(&client).await?;
                }
                self.transfer(&client, lock, rng, &accounts).await
            };
            // Whatever it was, the way back is the same: new locks, new tokens, new reads. The token of a write whose outcome
            // is unknown is not used again, so that write comes too late if it is still on its way.
            if let Err(error) = done.await {
                eprintln!("{}: {error}", self.name);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn accounts(&self, client: &Client) -> Result<Vec<String>, Failed> {
        let answer = client.get(format!("{}/accounts", self.ledger)).send().await?.error_for_status()?;
        let overview: Overview = answer.json().await?;
        Ok(overview.accounts.into_iter().map(|account| account.name).collect())
    }

    async fn transfer(
        &self,
        client: &Client,
        lock: &Redlock,
        rng: &mut impl Rng,
        accounts: &[String],
    ) -> Result<(), Failed> {
        let Some((from, to)) = draw(rng, accounts) else { return Ok(()) };
        // The lesser name first, in all processes: two writers never wait for each other.
        let (first, second) = if from < to { (from, to) } else { (to, from) };
        let first = acquire(lock, first).await?;
        let second = match acquire(lock, second).await {
            Ok(second) => second,
            Err(failed) => {
                drop(first.release().await);
                return Err(failed);
            }
        };
        let done = if from < to {
            self.move_money(client, (from, &first), (to, &second), rng).await
        } else {
            self.move_money(client, (from, &second), (to, &first), rng).await
        };
        // What is not released now ends with its time to live.
        drop(second.release().await);
        drop(first.release().await);
        done
    }

    /// Reads both balances, works, and writes both.
    async fn move_money(
        &self,
        client: &Client,
        (from, source): (&str, &Guard),
        (to, target): (&str, &Guard),
        rng: &mut impl Rng,
    ) -> Result<(), Failed> {
        let (has, other_has) = (self.read(client, from, source).await?, self.read(client, to, target).await?);
        let amount = rng.random_range(1..=AMOUNT_MAX);
        if has < amount {
            return Ok(());
        }
        // The last look at the locks. Between it and the write lies the work, and any pause.
        let (header, token) = (AddToken::of(source).value()?, AddToken::of(target).value().map(|_| target.token())?);
        tokio::time::sleep(self.work).await;
        let transfer = Transfer {
            amount,
            balance: has - amount,
            to: Target { account: to.to_owned(), balance: other_has + amount, token },
        };
        let request = client.post(format!("{}/accounts/{from}/transfers", self.ledger)).header(FENCING_TOKEN, header);
        accepted(request.json(&transfer).send().await?).await?;
        Ok(())
    }

    /// The first request of a holder carries the token too: from then on no older holder writes, so what was read stays true.
    async fn read(&self, client: &Client, account: &str, lease: &Guard) -> Result<i64, Failed> {
        let header = AddToken::of(lease).value()?;
        let request = client.get(format!("{}/accounts/{account}", self.ledger)).header(FENCING_TOKEN, header);
        let balance: Balance = accepted(request.send().await?).await?.json().await?;
        Ok(balance.balance)
    }
}

async fn acquire(lock: &Redlock, account: &str) -> Result<Guard, Failed> {
    let resource = resource(account).map_err(|error| Failed::Refused(error.to_string()))?;
    Ok(lock.acquire(resource).await?)
}

async fn accepted(answer: reqwest::Response) -> Result<reqwest::Response, Failed> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = answer.bytes().await?;
    let said: &dyn fmt::Display = match redfence_http::Refusal::from_problem(&body) {
        Some(ref refusal) => &refusal.clone(),
        None => &status,
    };
    Err(Failed::Refused(said.to_string()))
}

/// Two accounts that are not the same.
fn draw<'a>(rng: &mut impl Rng, accounts: &'a [String]) -> Option<(&'a str, &'a str)> {
    if accounts.len() < 2 {
        return None;
    }
    let from = rng.random_range(..accounts.len());
    let to = (from + rng.random_range(1..accounts.len())) % accounts.len();
    Some((accounts.get(from)?, accounts.get(to)?))
}
