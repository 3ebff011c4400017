//! The adapter on object_store's store in memory, which checks and writes under one mutex: the proof of atomicity.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

mod stage;

use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use redfence::FencingToken;
use redfence_claim::testing::{Checked, Delivery, Mutation, check};
use redfence_object_store::{Error, FencedStore};
use stage::{Store, mutants_fall, object, runtime};

#[test]
fn the_suite_holds() {
    let verdict = check(&Store::over(Arc::new(InMemory::new())), "suite");
    assert_eq!(verdict, Ok(Checked { unheard: Delivery::ALL.to_vec() }));
}

#[test]
fn the_suite_refuses_every_mutant() {
    mutants_fall(&Store::over(Arc::new(InMemory::new())), &Mutation::ALL);
}

#[test]
fn the_store_passes_the_conformance_test_of_its_own_crate() {
    runtime().block_on(object_store::integration::put_opts(&InMemory::new(), true));
}

#[test]
fn the_local_file_system_is_refused_by_the_probe() {
    let dir = tempfile::tempdir().unwrap();
    let local: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(dir.path()).unwrap());
    let opened = runtime().block_on(FencedStore::open(local, &Path::from("probe")));
    let Err(Error::Unfit(why)) = opened else { panic!("{opened:?}") };
    assert!(why.contains("no put on condition"), "{why}");
}

#[test]
fn many_probes_at_once_do_not_mislead_each_other() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    runtime().block_on(async {
        let probes = (0..16).map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { FencedStore::open(store, &Path::from("probe")).await.map(|_| ()) })
        });
        for probe in futures::future::join_all(probes).await {
            assert!(matches!(probe.unwrap(), Ok(()) | Err(Error::Retry)));
        }
    });
}

#[test]
fn what_others_wrote_is_left_alone() {
    let store = Store::over(Arc::new(InMemory::new()));
    store.runtime.block_on(async {
        store.store.put(&object("foreign"), "{}".into()).await.unwrap();
        let claimed = store.fenced.claim(&object("foreign"), FencingToken::new(1).unwrap()).await;
        assert!(matches!(claimed, Err(Error::NotAFence)), "{claimed:?}");
        let kept = store.store.get(&object("foreign")).await.unwrap().bytes().await.unwrap();
        assert_eq!(&*kept, b"{}");
    });
}

/// An ETag that is a hash of the content must not repeat with an old content, or a late put would pass.
#[test]
fn no_two_states_of_an_object_have_the_same_bytes() {
    let store = Store::over(Arc::new(InMemory::new()));
    store.runtime.block_on(async {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let mut claim = store.fenced.claim(&object("same"), FencingToken::new(1).unwrap()).await.unwrap();
            for _ in 0..3 {
                assert!(seen.insert(store.store.get(&object("same")).await.unwrap().bytes().await.unwrap()));
                claim.write("same").await.unwrap();
            }
            assert!(seen.insert(store.store.get(&object("same")).await.unwrap().bytes().await.unwrap()));
        }
    });
}
