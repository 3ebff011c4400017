//! The statements for MariaDB and MySQL, with InnoDB. They are tested with MariaDB 10.11.
//!
//! # Why [`ADMIT`] fences
//!
//! 1. `INSERT … ON DUPLICATE KEY UPDATE` takes an exclusive lock on the fence's row, or makes it, and InnoDB holds the
//!    lock until the transaction ends, on every isolation level, also if the row keeps its number. So two transactions
//!    that admit for one resource follow one another.
//! 2. `GREATEST` never lowers the number, and [`ADMITTED`] is a locking read: it sees the newest version and not the
//!    snapshot. A number that comes back equal to the one offered says that no greater one was committed before, and by 1
//!    none is committed before this transaction ends.
//! 3. The writes of the transaction are committed together with the number, or not at all. That needs InnoDB for your
//!    tables too: MyISAM and Aria tables have no transactions.
//!
//! # Isolation
//! On every level a transaction that waited continues: a locking read ignores the snapshot. Under REPEATABLE READ, the
//! default, the snapshot is taken at the first plain SELECT. So **present the token before the first read**: a value
//! that was read before it may be older than the write of a newer holder, and no error says so. (MariaDB with
//! `innodb_snapshot_isolation` answers with error 1020 instead.)
//!
//! Two transactions may each wait for the other: error 1213, SQLSTATE 40001. It says nothing about the token: roll back
//! and run the transaction again ([`must_retry`]). Stop at it: the server has rolled back already, and a statement
//! without a new BEGIN is its own transaction.
//!
//! # A holder that stands still
//!
//! A process that is paused inside its transaction, or cut off, keeps the fence's row. Set `idle_transaction_timeout`
//! (MariaDB), for instance to the time to live of the lease, or `wait_timeout` (MySQL): the server then ends that connection,
//! and nothing of the transaction was written. The others wait for `innodb_lock_wait_timeout` at most, 50 s unless it is set,
//! then the answer is error 1205 ([`must_retry`]).
//!
//! # A crash
//! The fence is in the same database as the data and is committed with it, so a crash loses both or none. With
//! `innodb_flush_log_at_trx_commit` other than 1, or after a failover to a replica that lagged, the last commits are
//! lost, the fence's too.

/// Creates the table `redfence_fence`. Put it into your migrations.
pub const MIGRATION: &str = include_str!("migration.sql");

/// Admits a token (second parameter) for a resource (first) within the caller's transaction. [`ADMITTED`] must follow.
pub const ADMIT: &str = include_str!("admit.sql");

/// The highest token after [`ADMIT`], in the same transaction. Equal to the one offered: admitted, and the fence is
/// held until the transaction ends. Greater: stale, roll back. [`crate::judge`] distinguishes them.
///
/// Two statements, because MySQL has no RETURNING.
pub const ADMITTED: &str = include_str!("admitted.sql");

/// The highest token of a resource, without holding the fence: for humans and metrics, never as a check before a write.
pub const HIGHEST: &str = include_str!("highest.sql");

/// Your own table with a token column, for the other form: [`EXAMPLE_UPDATE`].
pub const EXAMPLE_TABLE: &str = include_str!("example_table.sql");

/// The pattern of the fenced UPDATE, one statement without a fence row: copy it with your names.
///
/// The UPDATE locks the row and judges its newest version, so check and write are one step. It fences **this row**: a
/// row that is deleted takes its token with it, and an older holder could insert it again. Mark rows as deleted
/// instead, or use [`ADMIT`]. If no row was updated, ask [`EXAMPLE_HIGHEST`] why; [`crate::judge_update`] distinguishes
/// stale from missing.
///
/// The count must be of rows *found*, not of rows changed (`CLIENT_FOUND_ROWS`; sqlx and diesel set it).
pub const EXAMPLE_UPDATE: &str = include_str!("example_update.sql");

/// Why [`EXAMPLE_UPDATE`] updated no row.
pub const EXAMPLE_HIGHEST: &str = include_str!("example_highest.sql");

/// Whether this error number says that the transaction is to be rolled back and may be run again: 1213 (deadlock), 1205
/// (waited for a lock too long) and 1020 (the record has changed since it was read).
#[must_use]
pub fn must_retry(error_number: u16) -> bool {
    matches!(error_number, 1213 | 1205 | 1020)
}
