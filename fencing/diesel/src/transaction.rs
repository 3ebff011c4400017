//! Begin, admit, run, commit.

use diesel::connection::{AnsiTransactionManager, Connection, TransactionManager};

use crate::error::{Error, refused, unanswered};

pub(crate) fn transaction<C, T>(
    connection: &mut C,
    admit: impl FnOnce(&mut C) -> Result<(), Error>,
    work: impl FnOnce(&mut C) -> Result<T, Error>,
) -> Result<T, Error>
where
    C: Connection<TransactionManager = AnsiTransactionManager>,
{
    AnsiTransactionManager::begin_transaction(connection).map_err(refused)?;
    match admit(connection).and_then(|()| work(connection)) {
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
