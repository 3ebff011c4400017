//! The book: accounts and transfers in PostgreSQL. Tokens are compared in the transactions that read and write.

use redfence::FencingToken;
use redfence::verifier::StaleToken;
use redfence_http::{Presented, Refusal};
use redfence_tokio_postgres::{BigInt, Error, admit, commit, refused, sql};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Transaction};

use super::pool::Pool;
use crate::account::{Account, Overview, Transfer};

/// How often a transaction is run again that met another one.
const RUNS_MAX: usize = 10;

pub(crate) struct Book {
    pool: Pool,
    pub(crate) fenced: bool,
}

/// A transfer, with what its request brought along.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) account: &'a str,
    pub(crate) from: &'a Presented,
    pub(crate) to: &'a Presented,
    pub(crate) transfer: &'a Transfer,
    pub(crate) writer: &'a str,
}

/// Why a request was not carried out.
pub(crate) enum Failed {
    /// As of the fence, or of the database.
    Refused(Refusal),
    NoAccount(String),
}

/// Why a transaction did not do its work.
enum Undone {
    Failed(Failed),
    /// It met another one, which says nothing about its tokens.
    Again(Error),
}

impl Book {
    /// Connects, and opens the accounts if the database has none.
    pub(crate) async fn open(config: Config, fenced: bool, accounts: &[&str], balance: i64) -> Result<Self, Error> {
        let book = Self { pool: Pool::new(config), fenced };
        let mut client = book.pool.take().await.map_err(refused)?;
        let transaction = client.transaction().await.map_err(refused)?;
        let is_new = transaction.query_one(include_str!("sql/is_new.sql"), &[]).await.map_err(refused)?;
        if is_new.try_get(0).map_err(refused)? {
            for migration in [include_str!("sql/schema.sql"), sql::postgres::MIGRATION] {
                transaction.batch_execute(migration).await.map_err(refused)?;
            }
            for name in accounts {
                transaction.execute(include_str!("sql/open.sql"), &[name, &balance]).await.map_err(refused)?;
            }
        }
        commit(transaction).await?;
        book.pool.give_back(client);
        Ok(book)
    }

    /// For people: what is on all accounts, at one moment.
    pub(crate) async fn overview(&self, refusals: u64) -> Result<Overview, Error> {
        let mut client = self.pool.take().await.map_err(refused)?;
        let transaction =
            client.build_transaction().isolation_level(tokio_postgres::IsolationLevel::RepeatableRead).read_only(true);
        let transaction = transaction.start().await.map_err(refused)?;
        let mut accounts = Vec::new();
        let mut opened_with = 0;
        for row in transaction.query(include_str!("sql/accounts.sql"), &[]).await.map_err(refused)? {
            let token: Option<i64> = row.try_get(2).map_err(refused)?;
            let changed: i64 = row.try_get(3).map_err(refused)?;
            let opening: i64 = row.try_get(4).map_err(refused)?;
            opened_with += opening;
            accounts.push(Account {
                name: row.try_get(0).map_err(refused)?,
                balance: row.try_get(1).map_err(refused)?,
                token: token.map(sql::from_bigint).transpose()?,
                expected: opening + changed,
            });
        }
        let transfers = transaction.query_one(include_str!("sql/transfers.sql"), &[]).await.map_err(refused)?;
        let transfers = transfers.try_get(0).map_err(refused)?;
        commit(transaction).await?;
        self.pool.give_back(client);
        let sum = accounts.iter().map(|account| account.balance).sum();
        Ok(Overview { accounts, sum, expected: opened_with, transfers, refused: refusals, fenced: self.fenced })
    }

    /// What is on an account, and the claim on it: from here on no older holder writes it.
    pub(crate) async fn read(&self, account: &str, presented: &Presented) -> Result<i64, Failed> {
        let mut runs = Runs::default();
        loop {
            let mut client = self.connection().await?;
            match self.read_once(&mut client, account, presented).await {
                Ok(balance) => {
                    self.pool.give_back(client);
                    return Ok(balance);
                }
                Err(undone) => runs.again(undone)?,
            }
        }
    }

    /// Writes both balances and the transfer: all of it under both tokens, or nothing.
    pub(crate) async fn write(&self, write: &Write<'_>) -> Result<(), Failed> {
        let mut runs = Runs::default();
        loop {
            let mut client = self.connection().await?;
            match self.write_once(&mut client, write).await {
                Ok(()) => {
                    self.pool.give_back(client);
                    return Ok(());
                }
                Err(undone) => runs.again(undone)?,
            }
        }
    }

    async fn connection(&self) -> Result<Client, Failed> {
        self.pool.take().await.map_err(|error| Failed::Refused(Refusal::unreachable(error)))
    }

    async fn read_once(&self, client: &mut Client, account: &str, presented: &Presented) -> Result<i64, Undone> {
        let transaction = client.transaction().await.map_err(undone)?;
        self.admit(&transaction, presented).await?;
        let row = transaction.query_opt(include_str!("sql/balance.sql"), &[&account]).await;
        let Some(row) = row.map_err(undone)? else { return Err(no_account(account)) };
        let balance = row.try_get(0).map_err(undone)?;
        commit(transaction).await.map_err(|error| judged(presented, error))?;
        Ok(balance)
    }

    async fn write_once(&self, client: &mut Client, write: &Write<'_>) -> Result<(), Undone> {
        let Write { account, from, to, transfer, writer } = *write;
        let target = transfer.to.account.as_str();
        let transaction = client.transaction().await.map_err(undone)?;
        // In one order in all transactions, so that no two wait for each other.
        let (first, second) = if account < target { (from, to) } else { (to, from) };
        self.admit(&transaction, first).await?;
        self.admit(&transaction, second).await?;
        let mut balances = [(account, transfer.balance), (target, transfer.to.balance)];
        balances.sort_unstable();
        for (name, balance) in balances {
            let written = transaction.execute(include_str!("sql/set_balance.sql"), &[&name, &balance]).await;
            if written.map_err(undone)? == 0 {
                return Err(no_account(name));
            }
        }
        let tokens = (BigInt(from.token), BigInt(to.token));
        let values: [&(dyn ToSql + Sync); 6] = [&account, &target, &transfer.amount, &tokens.0, &tokens.1, &writer];
        transaction.execute(include_str!("sql/record.sql"), &values).await.map_err(undone)?;
        commit(transaction).await.map_err(|error| judged(from, error))
    }

    async fn admit(&self, transaction: &Transaction<'_>, presented: &Presented) -> Result<(), Undone> {
        if !self.fenced {
            return Ok(());
        }
        let admitted = admit(transaction, &presented.resource, presented.token).await;
        admitted.map_err(|error| judged(presented, error))
    }
}

/// How often a transaction was run.
#[derive(Default)]
struct Runs(usize);

impl Runs {
    /// `Ok`: it is run again, with the same tokens.
    fn again(&mut self, undone: Undone) -> Result<(), Failed> {
        self.0 += 1;
        match undone {
            Undone::Again(_) if self.0 < RUNS_MAX => Ok(()),
            Undone::Again(error) => Err(Failed::Refused(Refusal::unreachable(error))),
            Undone::Failed(failed) => Err(failed),
        }
    }
}

fn no_account(name: &str) -> Undone {
    Undone::Failed(Failed::NoAccount(name.to_owned()))
}

fn undone(error: tokio_postgres::Error) -> Undone {
    match refused(error) {
        Error::Retry(error) => Undone::Again(Error::Retry(error)),
        other => Undone::Failed(Failed::Refused(Refusal::unreachable(other))),
    }
}

/// What the error of a fence means for the request that presented this token.
fn judged(presented: &Presented, error: Error) -> Undone {
    Undone::Failed(Failed::Refused(match error {
        Error::Stale { highest } => presented.stale(StaleToken { highest }),
        Error::Retry(error) => return Undone::Again(Error::Retry(error)),
        Error::Unknown(error) => Refusal::unknown_outcome(error),
        other => Refusal::unreachable(other),
    }))
}

/// The token of the other account, as if it had come in a header.
pub(crate) fn second(account: &str, token: FencingToken) -> Result<Presented, Refusal> {
    let resource = crate::account::resource(account).map_err(|error| Refusal::Malformed(error.to_string()))?;
    Ok(Presented::new(resource, token))
}
