//! The lock alone does not protect data: without fencing a writer that stood still overwrites what others wrote.

mod stage;

use stage::Stage;

const WRITERS: usize = 6;

/// A pause that falls into the work under the lock does harm, if others come in between. Most do.
const PAUSES_MAX: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn pauses_beyond_the_lease_lose_updates_where_tokens_are_not_compared() {
    let stage = Stage::set(false, WRITERS).await;
    let mut went_wrong = None;
    for pause in 1..=PAUSES_MAX {
        let before = stage.books().await.transfers;
        stage.transfers_reach(before + 8).await;
        stage.pause_writers(|at| at % 2 == pause % 2).await;
        let books = stage.books().await;
        if books.sum != books.opened_with {
            went_wrong = Some((pause, books));
            break;
        }
    }
    let (pauses, books) = went_wrong.expect("pauses beyond the lease lose updates without fencing; none was seen");
    println!("after {pauses} pauses and {} transfers: {books:?}", books.transfers);
    assert!(books.wrong > 0, "the sum is wrong, so accounts are not what their transfers come to: {books:?}");
}
