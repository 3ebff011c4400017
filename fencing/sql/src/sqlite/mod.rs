//! The statements for SQLite 3.35 and later.
//!
//! # Why [`ADMIT`] fences
//! 1. It is a write, so it takes SQLite's only write lock, and the transaction holds this lock until it ends: no other
//!    transaction writes in between.
//! 2. `max` never lowers the number. So a number that comes back equal to the one offered says that no greater one was
//!    committed before, and by 1 none is committed before this transaction ends.
//! 3. The writes of the transaction are committed together with the number, or not at all.
//!
//! # Isolation
//!
//! SQLite is serializable. A transaction that cannot get the write lock fails with `SQLITE_BUSY` after the busy
//! timeout; one that read before it wrote, while another wrote, fails with `SQLITE_BUSY_SNAPSHOT` at once. Both say
//! nothing about the token: roll back and run the transaction again ([`must_retry`]). Present the token before the
//! first read.
//!
//! # A crash
//! The fence is in the same file as the data and is committed with it, so a crash loses both or none. With `synchronous
//! = NORMAL` in WAL mode a power cut may lose the last commits, the fence's too.

/// Creates the table `redfence_fence`. Put it into your migrations.
pub const MIGRATION: &str = include_str!("migration.sql");

/// Admits `?2` (integer) for the resource `?1` (text) within the caller's transaction, and returns the highest token.
///
/// Equal to `?2`: admitted, and the fence is held until the transaction ends. Greater: stale, roll back.
/// [`crate::judge`] distinguishes them.
pub const ADMIT: &str = include_str!("admit.sql");

/// The highest token of the resource `?1`, without holding the fence: for humans and metrics, never as a check before a
/// write.
pub const HIGHEST: &str = include_str!("highest.sql");

/// Your own table with a token column, for the other form: [`EXAMPLE_UPDATE`].
pub const EXAMPLE_TABLE: &str = include_str!("example_table.sql");

/// The pattern of the fenced UPDATE, one statement without a fence row: copy it with your names.
///
/// Check and write are one statement. It fences **this row**: a row that is deleted takes its token with it, and an
/// older holder could insert it again. Mark rows as deleted instead, or use [`ADMIT`]. If no row was updated, ask
/// [`EXAMPLE_HIGHEST`] why; [`crate::judge_update`] distinguishes stale from missing.
pub const EXAMPLE_UPDATE: &str = include_str!("example_update.sql");

/// Why [`EXAMPLE_UPDATE`] updated no row.
pub const EXAMPLE_HIGHEST: &str = include_str!("example_highest.sql");

/// Whether this result code, primary or extended, says that the transaction is to be rolled back and may be run again:
/// `SQLITE_BUSY` (5) and `SQLITE_LOCKED` (6).
#[must_use]
pub fn must_retry(result_code: i32) -> bool {
    matches!(result_code & 0xff, 5 | 6)
}

/// Whether a COMMIT that failed with this result code has certainly not committed: `SQLITE_CONSTRAINT` (19), from a foreign
/// key that is checked at the end.
#[must_use]
pub fn rolled_back(result_code: i32) -> bool {
    result_code & 0xff == 19
}
