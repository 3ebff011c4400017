//! Begin, admit, run, commit.

use diesel::QueryResult;
use diesel::connection::{AnsiTransactionManager, Connection, TransactionManager};

use crate::error::{Error, refused, unanswered};

pub(crate) fn transaction<C, T>(
    connection: &mut C,
    admit: impl FnOnce(&mut C) -> Result<(), Error>,
    work: impl FnOnce(&mut C) -> Result<T, Error>,
    before_commit: impl FnOnce(&mut C) -> QueryResult<()>,
) -> Result<T, Error>
where
    C: Connection<TransactionManager = AnsiTransactionManager>,
{
    AnsiTransactionManager::begin_transaction(connection).map_err(refused)?;
    let ready = admit(connection).and_then(|()| work(connection)).and_then(|value| {
        before_commit(connection).map_err(refused)?;
        Ok(value)
    });
    match ready {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(connection).map_err(unanswered)?;
            Ok(value)
        }
        Err(refusal) => {
            // A broken connection cannot roll back, and does not need to.
            let _ = AnsiTransactionManager::rollback_transaction(connection);
            Err(refusal)
        }
    }
}
