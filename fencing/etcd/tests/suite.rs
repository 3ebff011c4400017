//! The adapter, on real servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

mod stage;

use etcd_client::{Compare, CompareOp, LockOptions, PutOptions, Txn, TxnOp};
use redfence::{FencingToken, Resource};
use redfence_claim::testing::{Checked, Delivery, Mutant, Mutation, check};
use redfence_etcd::{Error, claim, highest, key};
use stage::support::falls;
use stage::{Store, got};

fn token(number: u64) -> FencingToken {
    FencingToken::new(number).unwrap()
}

#[test]
fn the_suite_holds_and_refuses_every_mutant() {
    let store = Store::start();
    let unheard = vec![Delivery::Never, Delivery::Now, Delivery::Late];
    assert_eq!(check(&store, "suite"), Ok(Checked { unheard }));
    for mutation in Mutation::ALL {
        // The client repeats no transaction, so it is never refused because of its own.
        if mutation == Mutation::OwnWriteIsStale {
            continue;
        }
        let what = format!("{mutation:?}");
        falls(&what, check(&Mutant { store: &store, mutation }, &what));
    }
}

#[test]
fn a_fence_has_no_lease_even_if_another_program_gave_it_one() {
    let store = Store::start();
    let orders = Resource::new("orders").unwrap();
    store.runtime.block_on(async {
        let (mut kv, mut leases) = (store.client.kv_client(), store.client.lease_client());
        claim(&mut kv, &orders, token(5)).await.unwrap();
        let lease = leases.grant(3_600, None).await.unwrap().id();
        let held = PutOptions::new().with_lease(lease);
        kv.put(key(&orders), "0000000000000005", Some(held)).await.unwrap();
        claim(&mut kv, &orders, token(5)).await.unwrap();
        assert_eq!(kv.get(key(&orders), None).await.unwrap().kvs()[0].lease(), 0);
        leases.revoke(lease).await.unwrap();
        assert_eq!(highest(&mut kv, &orders).await.unwrap(), Some(token(5)));
        let stale = claim(&mut kv, &orders, token(4)).await;
        assert!(matches!(stale, Err(Error::Stale { highest }) if highest == token(5)), "{stale:?}");
    });
}

/// The caller's comparisons and both branches are kept; a transaction that the caller builds with the comparison works
/// too.
#[test]
fn the_callers_transaction_keeps_its_comparisons_and_branches() {
    let store = Store::start();
    let orders = Resource::new("orders").unwrap();
    store.runtime.block_on(async {
        let mut kv = store.client.kv_client();
        let mine = claim(&mut kv, &orders, token(5)).await.unwrap();
        let create = || {
            Txn::new()
                .when([Compare::version("invoice", CompareOp::Equal, 0)])
                .and_then([TxnOp::put("invoice", "paid", None)])
                .or_else([TxnOp::get("invoice", None)])
        };
        assert!(mine.commit(&mut kv, create()).await.unwrap().succeeded());
        let second = mine.commit(&mut kv, create()).await.unwrap();
        assert!(!second.succeeded());
        assert_eq!(got(&second), ["paid"]);

        let own = Txn::new().when([mine.is_mine()]).and_then([TxnOp::put("invoice", "sent", None)]);
        assert!(kv.txn(own.clone()).await.unwrap().succeeded());
        claim(&mut kv, &orders, token(6)).await.unwrap();
        assert!(!kv.txn(own).await.unwrap().succeeded());
        let refused = mine.commit(&mut kv, create()).await;
        assert!(matches!(refused, Err(Error::Stale { highest }) if highest == token(6)), "{refused:?}");

        // Too many operations: etcd says so before it does anything.
        let newer = claim(&mut kv, &orders, token(7)).await.unwrap();
        let many: Vec<TxnOp> = (0..129).map(|number| TxnOp::put(format!("many/{number}"), "", None)).collect();
        let refused = newer.commit(&mut kv, Txn::new().and_then(many)).await;
        assert!(matches!(refused, Err(Error::Store(_))), "{refused:?}");
        // A key that holds something else is left alone.
        kv.put(key(&Resource::new("foreign").unwrap()), "5", None).await.unwrap();
        let foreign = claim(&mut kv, &Resource::new("foreign").unwrap(), token(5)).await;
        assert!(matches!(foreign, Err(Error::NotAFence)), "{foreign:?}");
    });
}

/// With etcd's own lock its revisions are the fence, and neither a token nor this crate is needed.
#[test]
fn etcds_own_lock_fences_with_the_revision_of_its_key() {
    let store = Store::start();
    store.runtime.block_on(async {
        let (mut kv, mut leases, mut locks) =
            (store.client.kv_client(), store.client.lease_client(), store.client.lock_client());
        let mut taken = Vec::new();
        for value in ["first", "second"] {
            let lease = leases.grant(3_600, None).await.unwrap().id();
            let locked = locks.lock("orders", Some(LockOptions::new().with_lease(lease))).await.unwrap();
            let found = kv.get(locked.key(), None).await.unwrap();
            let revision = found.kvs()[0].create_revision();
            let write = Txn::new()
                .when([Compare::create_revision(locked.key(), CompareOp::Equal, revision)])
                .and_then([TxnOp::put("invoice", value, None)]);
            assert!(kv.txn(write.clone()).await.unwrap().succeeded());
            taken.push((revision, write.clone()));
            // The lease is over while its holder is paused.
            leases.revoke(lease).await.unwrap();
            assert!(!kv.txn(write).await.unwrap().succeeded());
        }
        let [(first, late), (second, _)] = &taken[..] else { panic!("two locks") };
        assert!(first < second, "revisions only grow");
        assert!(!kv.txn(late.clone()).await.unwrap().succeeded());
        assert_eq!(kv.get("invoice", None).await.unwrap().kvs()[0].value(), b"second");
    });
}
