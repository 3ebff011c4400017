//! More of the client's side: tower, the gate for reads, and what to do after a stale token.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests say what they expect by panicking, as tests do"
)]

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use redfence::verifier::Rule;
use redfence_http::client::{AddToken, SendError};
use redfence_http::{FENCING_TOKEN, Presented, ReadGate, Refusal, TokenLayer};
use support::{Shop, SlowNetwork, client, lock, orders, serve};
use tower::{Layer as _, ServiceExt as _, service_fn};

#[tokio::test]
async fn a_tower_client_carries_the_token_and_sends_nothing_once_the_lease_is_over() {
    let guard = lock(Duration::from_secs(20)).acquire("Köln \"7\"").await.unwrap();
    let echo = service_fn(|request: Request<()>| async move {
        Ok::<_, Infallible>(Presented::from_bytes(request.headers()[FENCING_TOKEN].as_bytes()).unwrap())
    });
    let sends = AddToken::of(&guard).layer(echo);
    // A header that the caller has set is replaced.
    let request = Request::put("/").header(FENCING_TOKEN, "forged").body(()).unwrap();
    let carried = sends.clone().oneshot(request).await.unwrap();
    assert_eq!((carried.resource.as_str(), carried.token), ("Köln \"7\"", guard.token()));

    drop(guard.release().await);
    let refused = sends.oneshot(Request::new(())).await;
    assert!(matches!(refused, Err(SendError::NotSent(_))), "{refused:?}");
}

#[tokio::test]
async fn a_tower_server_without_axum_router_is_fenced_too() {
    let fenced = TokenLayer::new().layer(service_fn(|request: Request<Body>| async move {
        let presented = request.extensions().get::<Presented>().unwrap();
        Ok::<_, Infallible>(http::Response::new(Body::from(presented.token.to_string())))
    }));
    let request = Request::put("/").header(FENCING_TOKEN, "resource=\"a\"; token=\"7\"");
    assert_eq!(fenced.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status(), 200);
    assert_eq!(fenced.oneshot(Request::new(Body::empty())).await.unwrap().status(), 428);
}

#[tokio::test]
async fn a_cached_read_is_served_only_while_the_lease_is_valid() {
    let (shop, lock) = (Shop::default(), lock(Duration::from_secs(2)));
    let claim = |claim: Presented| {
        let shop = shop.clone();
        async move { shop.fence.write(&claim.resource, claim.token, Rule::AcceptEqual, || shop.written()) }
    };
    let old = lock.acquire("orders/42").await.unwrap();
    let mut gate = ReadGate::claim(&old, claim).await.unwrap();
    assert!(gate.get().unwrap().is_empty());
    gate.get_mut().unwrap().push("one".to_owned());
    assert_eq!(gate.get().unwrap().len(), 1);

    // The old holder gets no message: its own clock closes the gate before the next holder has the lock.
    let new = lock.acquire("orders/42").await.unwrap();
    assert!(gate.get().is_err() && gate.get_mut().is_err());
    assert!(ReadGate::claim(&new, claim).await.unwrap().get().is_ok());
    // A claim with the old token is refused by the resource.
    assert!(ReadGate::claim(&old, claim).await.is_err());
}

#[tokio::test]
async fn after_a_stale_token_the_way_back_is_a_new_lease() {
    let (shop, lock, network) = (Shop::default(), lock(Duration::from_secs(20)), SlowNetwork::new());
    let url = serve(orders(&shop, TokenLayer::new())).await + "/orders/42";

    let (writer, slow, target) = (lock.clone(), Arc::clone(&network), url.clone());
    let ends = tokio::spawn(async move {
        let mut stale = 0;
        loop {
            let guard = writer.acquire("orders/42").await.unwrap();
            let sends = client(vec![Arc::new(AddToken::of(&guard)), Arc::clone(&slow) as _]);
            let on_its_way = tokio::spawn(sends.put(&target).body("mine").send());
            slow.has_one().await;
            // The lease is over while the request is on its way, the first time.
            if stale == 0 {
                drop(guard.release().await);
                let other = writer.acquire("orders/42").await.unwrap();
                let sends = client(vec![Arc::new(AddToken::of(&other))]);
                assert_eq!(sends.put(&target).body("other").send().await.unwrap().status(), 204);
                drop(other.release().await);
            }
            slow.deliver();
            let answer = on_its_way.await.unwrap().unwrap();
            let status = answer.status();
            match Refusal::from_problem(&answer.bytes().await.unwrap()) {
                Some(Refusal::Stale { .. }) => stale += 1,
                _ => return (stale, status),
            }
        }
    });
    assert_eq!(ends.await.unwrap(), (1, http::StatusCode::NO_CONTENT));
    assert_eq!(shop.written(), ["other", "mine"]);
}
