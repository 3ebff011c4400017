//! The same writers under the same lock, and tokens are compared where the write happens: the sum never changes.
//!
//! `LEDGER_TRANSFERS=10000` makes a long run of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod stage;

use stage::{Books, Stage};

const WRITERS: usize = 6;
const TRANSFERS: i64 = 2_000;
/// Each kind of fault falls at least so often, however fast the transfers are.
const ROUNDS_MIN: usize = 3;
const KINDS: usize = 7;
/// So many writers have to come too late, or else the fence had nothing to do.
const REFUSED_MIN: u64 = 3;
const FAULTS_MAX: usize = 2_000;
/// What has to be written between two faults.
const BETWEEN: i64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn the_sum_never_changes_whatever_happens_to_writers_nodes_server_and_database() {
    let wanted = std::env::var("LEDGER_TRANSFERS").map_or(TRANSFERS, |count| count.parse().unwrap());
    let mut stage = Stage::set(true, WRITERS).await;
    let mut faults = 0;
    loop {
        let books = stage.books().await;
        assert_is_right(&books);
        let refused = stage.refused().await;
        if books.transfers >= wanted && faults >= ROUNDS_MIN * KINDS && refused >= REFUSED_MIN {
            break;
        }
        assert!(faults < FAULTS_MAX, "{refused} refused: too few writers came too late to put the fence to the test");
        stage.transfers_reach(books.transfers + BETWEEN).await;
        let (kind, round) = (faults % KINDS, faults / KINDS);
        match kind {
            0 => stage.kill_writer(round % WRITERS),
            1 | 4 => stage.pause_writers(|at| at % 2 == (round + kind) % 2).await,
            2 => stage.restart_node(round % 3),
            3 => stage.crash_database(),
            5 => stage.restart_server().await,
            _ if round % 2 == 0 => stage.pause_server().await,
            _ => stage.pause_node(round % 3).await,
        }
        faults += 1;
    }
    // What was on its way may still arrive.
    stage.writers.clear();
    let books = stage.books().await;
    assert_is_right(&books);
    let refused = stage.refused().await;
    println!("{} transfers, {faults} faults, {refused} stale requests refused: {books:?}", books.transfers);
}

fn assert_is_right(books: &Books) {
    assert_eq!((books.sum, books.wrong, books.disordered), (books.opened_with, 0, 0), "{books:?}");
}
