//! The statements for PostgreSQL 9.5 and later.
//!
//! # Why [`ADMIT`] fences
//! 1. `INSERT … ON CONFLICT DO UPDATE` locks the fence's row, or creates it, and holds it until the transaction ends.
//!    So two transactions that admit for one resource follow one another. This is also true for the first two, because
//!    the second one waits at the unique index.
//! 2. `greatest` never lowers the number. So a number that comes back equal to the one offered says that no greater one
//!    was committed before, and by 1 none is committed before this transaction ends.
//! 3. The writes of the transaction are committed together with the number, or not at all.
//!
//! # Isolation
//!
//! | level | a transaction that waited for the row |
//! |---|---|
//! | READ COMMITTED | continues with the row of the other one, and its later statements see what that one wrote |
//! | REPEATABLE READ, SERIALIZABLE | fails with SQLSTATE 40001 if the other one committed, because its snapshot is older |
//!
//! 40001 says nothing about the token: roll back and run the transaction again ([`must_retry`]). Present the token
//! **before the first read**, so that no value was read that a newer holder has changed since.
//!
//! # A holder that stands still
//!
//! A process that is paused inside its transaction, or cut off, keeps the fence's row, and newer holders wait for it without
//! an end. Set `idle_in_transaction_session_timeout`, for instance to the time to live of the lease: the server then ends
//! that transaction, and nothing of it was written. `lock_timeout` ends the wait of the others ([`must_retry`]).
//!
//! # A crash
//! The fence is in the same database as the data and is committed with it, so a crash loses both or none. With
//! `synchronous_commit = off`, or after a failover to a replica that lagged, the last commits are lost, the fence's
//! too.

/// Creates the table `redfence_fence`. Put it into your migrations.
pub const MIGRATION: &str = include_str!("migration.sql");

/// Admits `$2` (bigint) for the resource `$1` (text) within the caller's transaction, and returns the highest token.
///
/// Equal to `$2`: admitted, and the fence is held until the transaction ends. Greater: stale, roll back.
/// [`crate::judge`] distinguishes them.
pub const ADMIT: &str = include_str!("admit.sql");

/// Comes right before COMMIT, unless your driver shows the tag of the answer to COMMIT.
///
/// If a statement of a transaction has failed and the program went on, PostgreSQL answers the COMMIT with `ROLLBACK` and
/// **without an error**: nothing was written, and most drivers report success. This statement fails there, with SQLSTATE
/// 25P02, and then nothing was written. The adapters send it in their `commit`.
pub const BEFORE_COMMIT: &str = include_str!("before_commit.sql");

/// The highest token of the resource `$1`, without holding the fence: for humans and metrics, never as a check before a
/// write.
pub const HIGHEST: &str = include_str!("highest.sql");

/// Your own table with a token column, for the other form: [`EXAMPLE_UPDATE`].
pub const EXAMPLE_TABLE: &str = include_str!("example_table.sql");

/// The pattern of the fenced UPDATE, one statement without a fence row: copy it with your names.
///
/// The UPDATE locks the row and judges its newest version, so check and write are one step. It fences **this row**: a
/// row that is deleted takes its token with it, and an older holder could insert it again. Mark rows as deleted
/// instead, or use [`ADMIT`]. If no row was updated, ask [`EXAMPLE_HIGHEST`] why; [`crate::judge_update`] distinguishes
/// stale from missing.
pub const EXAMPLE_UPDATE: &str = include_str!("example_update.sql");

/// Why [`EXAMPLE_UPDATE`] updated no row.
pub const EXAMPLE_HIGHEST: &str = include_str!("example_highest.sql");

/// Whether this SQLSTATE says that the transaction is to be rolled back and may be run again: 40001 (serialization
/// failure), 40P01 (deadlock) and 55P03 (waited for a lock longer than `lock_timeout`).
#[must_use]
pub fn must_retry(sqlstate: &str) -> bool {
    matches!(sqlstate, "40001" | "40P01" | "55P03")
}

/// Whether a COMMIT that failed with this SQLSTATE has certainly not committed: the other rollbacks of class 40 and the
/// violated constraints of class 23. After any other failure of a COMMIT the outcome is unknown.
#[must_use]
pub fn rolled_back(sqlstate: &str) -> bool {
    // 40003 is in the class of rollbacks and says the opposite: "statement completion unknown".
    (sqlstate.starts_with("40") && sqlstate != "40003") || sqlstate.starts_with("23")
}
