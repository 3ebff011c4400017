//! rslock's own tests, from its package, with redfence in place of its lock: [`adapter`] has rslock's names.
//!
//! docs/migration/rslock.md lists the tests that do not pass, each with its reason. The list has to be the truth: a test that
//! fails and is not listed fails this, and so does one that is listed and passes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

mod adapter;
mod stand_ins;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::sync::Mutex;

/// What rslock's tests find in the module around them.
#[allow(
    unused,
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unexpected_cfgs,
    reason = "these are the tests of others"
)]
mod theirs {
    use std::sync::Arc;

    use redis::Client;

    use super::adapter::{Lock, LockError, LockGuard, LockManager, ToLockResource};
    use super::stand_ins::{anyhow, futures_timer, testcontainers};

    /// Runs a test, and says whether it passed.
    pub(super) type Test = fn() -> bool;

    pub(super) trait End {
        fn is_good(&self) -> bool;
    }

    impl End for () {
        fn is_good(&self) -> bool {
            true
        }
    }

    impl<E: std::fmt::Debug> End for Result<(), E> {
        fn is_good(&self) -> bool {
            self.as_ref().inspect_err(|error| eprintln!("{error:?}")).is_ok()
        }
    }

    fn ended(end: impl End) -> bool {
        end.is_good()
    }

    fn wait_for<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    pub(super) fn all() -> &'static [(&'static str, Test)] {
        tests::TESTS
    }

    pub(super) fn left_out() -> &'static [&'static str] {
        tests::LEFT_OUT
    }

    include!(concat!(env!("OUT_DIR"), "/rslocks_tests.rs"));
}

/// Their times are short, and this machine may be busy, so a test has as many runs to end as the guide says.
const RUNS: usize = 5;
/// How many tests run at one time; each has three servers.
const AT_ONCE: usize = 3;

/// The tests in the table of the guide.
fn listed() -> BTreeSet<&'static str> {
    let rows =
        include_str!("../../../../docs/migration/rslock.md").lines().filter_map(|line| line.strip_prefix("| test_"));
    rows.filter_map(|row| row.split_once(" | ")).map(|(name, _)| name).collect()
}

/// Whether the test passes: as is wanted if one run ends so, else not.
fn passes(test: theirs::Test, wanted: bool) -> bool {
    let is_wanted = (0..RUNS).any(|_| catch_unwind(test).unwrap_or(false) == wanted);
    is_wanted == wanted
}

#[test]
fn rslocks_own_tests_pass_but_for_those_that_the_guide_lists() {
    let (listed, waiting) = (listed(), Mutex::new(theirs::all().iter()));
    let passed = Mutex::new(BTreeSet::new());
    std::thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                loop {
                    let Some((name, test)) = waiting.lock().unwrap().next() else { return };
                    let name = name.trim_start_matches("test_");
                    if passes(*test, !listed.contains(name)) {
                        passed.lock().unwrap().insert(name);
                    }
                }
            });
        }
    });
    let passed = passed.into_inner().unwrap();
    let known = theirs::all().iter().map(|(name, _)| *name).chain(theirs::left_out().iter().copied());
    let known: BTreeSet<_> = known.map(|name| name.trim_start_matches("test_")).collect();
    println!("rslock: {} tests, {} passed, {} cannot pass", known.len(), passed.len(), listed.len());
    assert!(known.len() >= 34, "rslock 0.10.0 has 34 tests: {known:?}");
    let failed: BTreeSet<_> = known.difference(&passed).copied().collect();
    assert_eq!(failed, listed, "left: what does not pass; right: what docs/migration/rslock.md lists");
}
