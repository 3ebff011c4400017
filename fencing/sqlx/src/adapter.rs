//! The code that is the same for each database. sqlx has no trait with which a statement could be written once for all.

/// The functions of a module, for its types of sqlx. The module has `admit`. Its `must_retry` says whether a
/// transaction must be run again after an error, and its `rolled_back` whether it was rolled back. Its `before_commit`
/// fails where a COMMIT would write nothing and report success.
macro_rules! adapter {
    ($Connection:ty, $Database:ty, $Arguments:ty) => {
        /// The highest token that was admitted for `resource`, without holding the fence: for humans and metrics, never
        /// as a check before a write.
        ///
        /// # Errors
        ///
        /// [`Error::Database`] when it could not be read.
        ///
        /// # Cancel safety
        ///
        /// Changes nothing.
        pub async fn highest(connection: &mut $Connection, resource: &Resource) -> Result<Option<FencingToken>, Error> {
            let highest: Option<i64> = query_scalar(statements::HIGHEST)
                .bind(resource.as_str())
                .fetch_optional(connection)
                .await
                .map_err(refused)?;
            highest.map(from_bigint).transpose()
        }

        /// Runs a fenced UPDATE of your own table, such as [`statements::EXAMPLE_UPDATE`], and asks `highest` for the
        /// row's token if no row was updated.
        ///
        /// `update` has to set the token and to ask for `token <= …` in its WHERE. In a transaction the row is held
        /// until the transaction ends; otherwise the UPDATE is its own transaction.
        ///
        /// # Errors
        ///
        /// [`Error::Stale`], [`Error::Missing`] if there is no such row, [`Error::Retry`] as with [`admit`]; nothing
        /// was written then. Without a transaction also [`Error::Unknown`], when the answer did not come.
        ///
        /// # Cancel safety
        ///
        /// Dropping the future leaves the row updated or not; within a transaction, roll back.
        pub async fn update<'q>(
            connection: &mut $Connection,
            token: FencingToken,
            update: ::sqlx::query::Query<'q, $Database, $Arguments>,
            highest: ::sqlx::query::QueryScalar<'q, $Database, i64, $Arguments>,
        ) -> Result<(), Error> {
            let read = if connection.is_in_transaction() { refused } else { unanswered };
            let rows = update.execute(&mut *connection).await.map_err(read)?.rows_affected();
            let highest = match rows {
                0 => highest.fetch_optional(connection).await.map_err(refused)?,
                _ => None,
            };
            judge_update(token, rows, highest)
        }

        /// Commits, and distinguishes an unknown outcome from a refusal.
        ///
        /// # Errors
        ///
        /// [`Error::Unknown`] when the answer did not come: all writes happened, or none. [`Error::Retry`] and
        /// [`Error::Database`] when they did not happen; in PostgreSQL also when an earlier statement had failed and the
        /// caller went on.
        ///
        /// # Cancel safety
        ///
        /// Dropping the future leaves the outcome unknown.
        pub async fn commit(mut transaction: ::sqlx::Transaction<'_, $Database>) -> Result<(), Error> {
            before_commit(&mut transaction).await?;
            transaction.commit().await.map_err(unanswered)
        }

        /// Converts the error of one of your statements in the transaction: [`Error::Retry`] or [`Error::Database`].
        /// For `map_err`, so that a transaction that must be run again is not reported as another error.
        pub fn refused(error: ::sqlx::Error) -> Error {
            if must_retry(&error) { Error::Retry(Some(error)) } else { Error::Database(error) }
        }

        /// The failure of a statement that commits.
        fn unanswered(error: ::sqlx::Error) -> Error {
            match error {
                error if must_retry(&error) => Error::Retry(Some(error)),
                error if rolled_back(&error) => Error::Database(error),
                error => Error::Unknown(error),
            }
        }
    };
}

pub(crate) use adapter;
