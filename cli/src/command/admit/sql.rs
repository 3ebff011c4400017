//! A fence in PostgreSQL, MariaDB, MySQL or SQLite.

use std::str::FromStr;
use std::time::Duration;

use redfence::{Clock as _, FencingToken, Resource, SystemClock};
use redfence_sqlx::{Error, mysql, postgres, sql, sqlite};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::place::Database;
use super::refusal::Refusal;
use super::term::{FenceLock, Transaction};
use crate::args::AdmitArgs;

/// Between two looks at whether the transaction is still there.
const LOOK: Duration = Duration::from_millis(500);
/// How long the server has to answer such a look, or the end.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Between two tries of a transaction that met another one.
const PAUSE: Duration = Duration::from_millis(20);

/// Admits, and holds the fence for a command.
pub(super) async fn admit(
    database: Database,
    url: &str,
    args: &AdmitArgs,
    with_command: bool,
) -> Result<Option<FenceLock>, Refusal> {
    match database {
        Database::Postgres => {
            let options: PgConnectOptions = parsed(url)?;
            let connection = reached(args.wait, options.connect()).await?;
            hold_postgres(connection, args, with_command).await
        }
        Database::MySql => {
            let options: MySqlConnectOptions = parsed(url)?;
            let connection = reached(args.wait, options.connect()).await?;
            hold_mysql(connection, args, with_command).await
        }
        Database::Sqlite => {
            let options: SqliteConnectOptions = parsed(url)?;
            let options = options.busy_timeout(args.wait);
            let connection = reached(args.wait, options.connect()).await?;
            hold_sqlite(connection, args, with_command).await
        }
    }
}

/// A URL that cannot be read is a wrong call: no server was asked.
fn parsed<O: FromStr<Err = sqlx::Error>>(url: &str) -> Result<O, Refusal> {
    url.parse().map_err(|error: sqlx::Error| Refusal::Usage(format!("--store: {error}")))
}

async fn reached<C>(wait: Duration, connect: impl Future<Output = sqlx::Result<C>>) -> Result<C, Refusal> {
    match timeout(wait, connect).await {
        Ok(connection) => connection.map_err(|error| Refusal::NoVerdict(error.to_string())),
        Err(_) => Err(Refusal::NoVerdict(format!("no connection within {wait:?}"))),
    }
}

/// The same for each database: the types of sqlx have no traits that could say it once.
macro_rules! hold {
    ($hold:ident, $admitted:ident, $keep:ident, $connection:ty, $adapter:ident) => {
        async fn $hold(
            mut connection: $connection,
            args: &AdmitArgs,
            with_command: bool,
        ) -> Result<Option<FenceLock>, Refusal> {
            let until = SystemClock.now().after(args.wait);
            // Stored for good first. The command's writes are not in the transaction below, so its end must not take the
            // token back.
            let claim = async {
                loop {
                    match $admitted(&mut connection, &args.resource, args.token).await {
                        Err(Error::Retry(_)) if SystemClock.now() < until => tokio::time::sleep(PAUSE).await,
                        ended => return ended,
                    }
                }
            };
            let claimed = timeout(args.wait, claim).await.map_err(|_| busy(args))?;
            claimed.map_err(|error| refused(error, args, sql::$adapter::MIGRATION))?;
            if !with_command {
                let _ = timeout(ANSWER_MAX, connection.close()).await;
                return Ok(None);
            }
            let (end, ended) = oneshot::channel();
            let (begun, has_begun) = oneshot::channel();
            let (tell, lost) = watch::channel(None);
            let task = tokio::spawn($keep(connection, args.resource.clone(), args.token, begun, ended, tell));
            let left = until.checked_since(SystemClock.now()).unwrap_or_default().max(PAUSE);
            match timeout(left, has_begun).await {
                Ok(Ok(Ok(()))) => Ok(Some(FenceLock::Transaction(Transaction { end, lost, task }))),
                Ok(Ok(Err(error))) => Err(refused(error, args, sql::$adapter::MIGRATION)),
                Ok(Err(_)) => Err(Refusal::NoVerdict("the task that holds the fence has ended".to_owned())),
                Err(_) => Err(busy(args)),
            }
        }

        async fn $admitted(to: &mut $connection, resource: &Resource, token: FencingToken) -> Result<(), Error> {
            let mut transaction = to.begin().await.map_err($adapter::refused)?;
            $adapter::admit(&mut transaction, resource, token).await?;
            $adapter::commit(transaction).await
        }

        /// Has the fence's row until the caller sends the end, or until the connection ends.
        async fn $keep(
            mut connection: $connection,
            resource: Resource,
            token: FencingToken,
            begun: oneshot::Sender<Result<(), Error>>,
            mut ended: oneshot::Receiver<()>,
            tell: watch::Sender<Option<String>>,
        ) {
            let mut transaction = loop {
                let begin = async {
                    let mut transaction = connection.begin().await.map_err($adapter::refused)?;
                    $adapter::admit(&mut transaction, &resource, token).await.map(|()| transaction)
                };
                match begin.await {
                    Ok(transaction) => break transaction,
                    Err(Error::Retry(_)) if !begun.is_closed() => tokio::time::sleep(PAUSE).await,
                    Err(error) => return drop(begun.send(Err(error))),
                }
            };
            if begun.send(Ok(())).is_err() {
                return;
            }
            loop {
                tokio::select! {
                    biased;
                    _ = &mut ended => break,
                    () = tokio::time::sleep(LOOK) => {}
                }
                let why = match timeout(ANSWER_MAX, transaction.execute("SELECT 1")).await {
                    Ok(Ok(_)) => continue,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => format!("the database did not answer within {ANSWER_MAX:?}"),
                };
                // The receiver may be gone.
                let _ = tell.send(Some(why));
                return;
            }
            // Nothing is in it: the token is stored already. Where it does not end in order, it ends with the connection.
            let _ = timeout(ANSWER_MAX, transaction.rollback()).await;
        }
    };
}

hold!(hold_postgres, admitted_postgres, keep_postgres, PgConnection, postgres);
hold!(hold_mysql, admitted_mysql, keep_mysql, MySqlConnection, mysql);
hold!(hold_sqlite, admitted_sqlite, keep_sqlite, SqliteConnection, sqlite);

fn busy(args: &AdmitArgs) -> Refusal {
    let (resource, wait) = (args.resource.as_str(), args.wait);
    Refusal::Busy(format!(
        "another transaction has held the fence of {resource:?} for {wait:?}: wait longer, or see what it does"
    ))
}

fn refused(error: Error, args: &AdmitArgs, migration: &str) -> Refusal {
    let said = error.to_string();
    match error {
        Error::Stale { highest } => Refusal::Stale(highest),
        Error::Retry(_) => busy(args),
        _ if said.contains("redfence_fence") => {
            let statement: Vec<&str> =
                migration.lines().filter(|line| !line.starts_with("--")).map(str::trim).collect();
            Refusal::NoVerdict(format!("{said}. The table of the fences is made with: {}", statement.join(" ")))
        }
        _ => Refusal::NoVerdict(said),
    }
}
