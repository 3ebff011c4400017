//! The adapter on a server that speaks S3: tests the protocol. Atomicity is tested in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

mod stage;

use std::sync::Arc;

use object_store::path::Path;
use redfence::FencingToken;
use redfence_claim::testing::{Checked, Delivery, Mutation, check};
use redfence_object_store::{Claim, Error, FencedStore};
use stage::support::Moto;
use stage::wire::{Wire, Wrong};
use stage::{Store, mutants_fall, object, runtime};

#[test]
fn the_suite_holds_and_refuses_every_mutant() {
    let server = Moto::start();
    let store = Store::over(Arc::new(Wire::to(&server).s3()));
    assert_eq!(check(&store, "suite"), Ok(Checked { unheard: Delivery::ALL.to_vec() }));
    mutants_fall(&store, &Mutation::ALL);
}

#[test]
fn the_store_passes_the_conformance_test_of_its_own_crate() {
    let server = Moto::start();
    runtime().block_on(object_store::integration::put_opts(&Wire::to(&server).s3(), true));
}

#[test]
fn a_store_that_ignores_the_condition_is_refused_by_the_probe() {
    let server = Moto::start();
    for (wrong, says) in [(Wrong::NoCreate, "create it only if it is not there"), (Wrong::NoUpdate, "another version")]
    {
        let wire = Wire::to(&server);
        wire.go_wrong(wrong);
        let opened = runtime().block_on(FencedStore::open(Arc::new(wire.s3()), &Path::from("probe")));
        let Err(Error::Unfit(why)) = opened else { panic!("{wrong:?}: {opened:?}") };
        assert!(why.contains(says), "{wrong:?}: {why}");
    }
}

async fn claimed(wire: &Wire, name: &str) -> Claim {
    let fenced = FencedStore::open(Arc::new(wire.s3()), &Path::from("probe")).await.expect("a store");
    let mut claim = fenced.claim(&object(name), FencingToken::new(5).unwrap()).await.expect("a claim");
    claim.write("before").await.expect("a write");
    claim
}

/// object_store sends a put again after a status 5xx, and S3 may have stored it the first time.
#[test]
fn a_412_because_of_ones_own_write_is_read_back() {
    let server = Moto::start();
    let wire = Wire::to(&server);
    runtime().block_on(async {
        let mut claim = claimed(&wire, "own").await;
        wire.go_wrong(Wrong::NextIs(503));
        claim.write("after").await.expect("it was stored the first time");
        assert_eq!(claim.content().map(|content| &**content), Some(&b"after"[..]));
        claim.write("and then").await.expect("the claim goes on");
    });
}

/// S3 answers 409 when two puts on condition meet. object_store repeats those, until it gives up.
#[test]
fn a_conflict_is_repeated_and_a_lost_answer_is_unknown() {
    let server = Moto::start();
    let wire = Wire::to(&server);
    runtime().block_on(async {
        let mut claim = claimed(&wire, "conflict").await;
        wire.go_wrong(Wrong::NextIsOnly(409));
        claim.write("after").await.expect("object_store repeats it");
        wire.go_wrong(Wrong::NextBreaks);
        let broken = claim.write("last").await;
        assert!(matches!(broken, Err(Error::Unknown(_))), "{broken:?}");
        assert!(claim.again().await.expect("a claim anew"), "the write is there");
        assert_eq!(claim.content().map(|content| &**content), Some(&b"last"[..]));
        // A client that is refused at the end does not know whether its first attempt succeeded.
        wire.go_wrong(Wrong::NextIsOnly(403));
        let forbidden = claim.write("never").await;
        assert!(matches!(forbidden, Err(Error::Unknown(_))), "{forbidden:?}");
        assert!(!claim.again().await.expect("a claim anew"), "the write is not there");
        assert_eq!(claim.content().map(|content| &**content), Some(&b"last"[..]));
    });
}

#[test]
fn a_conflict_that_stays_is_unknown() {
    let server = Moto::start();
    let wire = Wire::to(&server);
    runtime().block_on(async {
        let fenced = FencedStore::open(Arc::new(wire.s3_that_gives_up()), &Path::from("probe")).await.expect("a store");
        let mut claim = fenced.claim(&object("stays"), FencingToken::new(5).unwrap()).await.expect("a claim");
        wire.go_wrong(Wrong::NextIsOnly(409));
        let conflict = claim.write("never").await;
        assert!(matches!(conflict, Err(Error::Unknown(_))), "{conflict:?}");
        // The claim is still the last one, so the caller may also write again.
        claim.write("after").await.expect("the next write");
    });
}
