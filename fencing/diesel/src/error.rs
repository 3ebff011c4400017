//! The meaning of diesel's errors for a fenced write.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Why a fenced write did not happen, or may not have.
pub type Error = redfence_sql::FenceError<DieselError>;

/// Converts the error of one of your statements in the transaction: [`Error::Retry`] or [`Error::Database`]. For
/// `map_err`, so that a transaction that must be run again is not reported as another error.
pub fn refused(error: DieselError) -> Error {
    if must_retry(&error) { Error::Retry(Some(error)) } else { Error::Database(error) }
}

/// The same for your own COMMIT: also [`Error::Unknown`], if the answer did not come.
pub fn unanswered(error: DieselError) -> Error {
    match error {
        error if must_retry(&error) => Error::Retry(Some(error)),
        DieselError::DatabaseError(
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::ExclusionViolation
            | DatabaseErrorKind::RestrictViolation,
            _,
        ) => Error::Database(error),
        error => Error::Unknown(error),
    }
}

fn must_retry(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        // diesel keeps neither the SQLSTATE nor SQLite's result code.
        DieselError::DatabaseError(_, information) => {
            let message = information.message();
            message.starts_with("deadlock detected")
                || message.starts_with("canceling statement due to lock timeout")
                || message.starts_with("database is locked")
                || message.starts_with("database table is locked")
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => must_retry(commit_error),
        _ => false,
    }
}
