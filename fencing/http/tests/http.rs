//! Servers on loopback and clients under a real lock: what passes, what is refused, and how.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests say what they expect by panicking, as tests do"
)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::put;
use redfence::verifier::{MemoryStore, Rule, TokenStore, Verdict, Verifier};
use redfence::{FencingToken, Resource};
use redfence_http::client::{AddToken, NotSent};
use redfence_http::{Presented, Refusal, TokenLayer, TokenReader};
use support::{Shop, SlowNetwork, client, lock, orders, serve};
use tokio::sync::Semaphore;

/// Long enough to send a request on a busy machine, short enough to wait for.
const TTL: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_writer_whose_lease_ran_out_on_the_way_is_refused_by_the_step_that_writes() {
    let (shop, lock, network) = (Shop::default(), lock(TTL), SlowNetwork::new());
    let url = serve(orders(&shop, TokenLayer::new())).await + "/orders/42";

    // The old holder checks its lease, sends, and the network keeps the request.
    let old = lock.acquire("orders/42").await.unwrap();
    let sends = client(vec![Arc::new(AddToken::of(&old)), Arc::clone(&network) as _]);
    let on_its_way = tokio::spawn(sends.put(&url).body("from the old holder").send());
    network.has_one().await;

    // Its lease runs out; the next holder acquires and writes.
    let new = lock.acquire("orders/42").await.unwrap();
    let answer = client(vec![Arc::new(AddToken::of(&new))]).put(&url).body("from the new holder").send().await.unwrap();
    assert_eq!(answer.status(), 204);

    network.deliver();
    let answer = on_its_way.await.unwrap().unwrap();
    assert_eq!(answer.status(), 412);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body = answer.bytes().await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["type"], "urn:redfence:problem:stale");
    assert_eq!(told["status"], 412);
    assert_eq!(told["resource"], "orders/42");
    assert_eq!(told["presented"], old.token().to_string());
    assert_eq!(told["highest"], new.token().to_string());
    let refusal = Refusal::from_problem(&body).unwrap();
    assert!(matches!(refusal, Refusal::Stale { highest, .. } if highest == new.token()), "{refusal:?}");

    assert_eq!(shop.written(), ["from the new holder"]);
}

/// Shows what the documentation says about admission: with the same two writers the older write overwrites the newer.
#[tokio::test]
async fn admission_in_front_of_a_handler_fences_nothing_that_the_handler_does_later() {
    #[derive(Clone)]
    struct Unfenced {
        written: Arc<Mutex<Vec<String>>>,
        in_handler: Arc<Semaphore>,
        resume: Arc<Semaphore>,
    }

    async fn write(State(shop): State<Unfenced>, _: Presented, line: String) {
        if line == "from the old holder" {
            shop.in_handler.add_permits(1);
            shop.resume.acquire().await.unwrap().forget();
        }
        shop.written.lock().unwrap().push(line);
    }

    let (fence, lock) = (Verifier::new(MemoryStore::new()), lock(TTL));
    let semaphore = || Arc::new(Semaphore::new(0));
    let shop = Unfenced { written: Arc::default(), in_handler: semaphore(), resume: semaphore() };
    let layer = TokenLayer::new().admitting(fence);
    let url = serve(Router::new().route("/o", put(write)).layer(layer).with_state(shop.clone())).await + "/o";

    let old = lock.acquire("orders/42").await.unwrap();
    let sends = client(vec![Arc::new(AddToken::of(&old))]);
    let slow = tokio::spawn(sends.put(&url).body("from the old holder").send());
    shop.in_handler.acquire().await.unwrap().forget();

    let new = lock.acquire("orders/42").await.unwrap();
    let sends = client(vec![Arc::new(AddToken::of(&new))]);
    assert_eq!(sends.put(&url).body("from the new holder").send().await.unwrap().status(), 200);

    shop.resume.add_permits(1);
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);
    assert_eq!(*shop.written.lock().unwrap(), ["from the new holder", "from the old holder"]);

    // A request that *arrives* later is refused by the admission.
    let header = Presented::new(old.resource().clone(), old.token()).to_header();
    let answer = reqwest::Client::new().put(&url).header("fencing-token", header).send().await.unwrap();
    assert_eq!(answer.status(), 412);
}

#[tokio::test]
async fn nothing_is_sent_once_the_lease_is_over() {
    let (shop, lock) = (Shop::default(), lock(Duration::from_secs(20)));
    let url = serve(orders(&shop, TokenLayer::new())).await + "/orders/42";
    let guard = lock.acquire("orders/42").await.unwrap();
    let sends = client(vec![Arc::new(AddToken::of(&guard))]);
    assert_eq!(sends.put(&url).body("held").send().await.unwrap().status(), 204);

    drop(guard.release().await);
    let error = sends.put(&url).body("not held").send().await.unwrap_err();
    let reqwest_middleware::Error::Middleware(error) = error else { panic!("{error}") };
    assert_eq!(error.downcast_ref::<NotSent>().unwrap().resource.as_str(), "orders/42");
    assert_eq!((shop.requests(), shop.written()), (1, vec!["held".to_owned()]));
}

/// A store that is down.
struct Down;

impl TokenStore for Down {
    type Error = std::io::Error;

    async fn admit(&self, _: &Resource, _: FencingToken, _: Rule) -> Result<Verdict, std::io::Error> {
        Err(std::io::Error::other("postgres://user:secret@db is down"))
    }
}

#[tokio::test]
async fn each_refusal_has_its_status_and_says_why() {
    let shop = Shop::default();
    let fenced = serve(orders(&shop, TokenLayer::new())).await;
    let down = serve(orders(&shop, TokenLayer::new().admitting(Verifier::new(Down)))).await;
    let good = r#"resource="orders/42"; token="41""#;
    let ahead = r#"resource="orders/42"; token="42""#;

    for (base, path, headers, status, kind) in [
        (&fenced, "/orders/42", vec![ahead], 204, None),
        (&fenced, "/orders/42", vec![], 428, Some("missing")),
        (&fenced, "/orders/42", vec!["41"], 400, Some("malformed")),
        (&fenced, "/orders/42", vec![good, good], 400, Some("malformed")),
        (&fenced, "/orders/42", vec![r#"resource="orders/42"; token="0""#], 400, Some("malformed")),
        (&fenced, "/orders/43", vec![good], 400, Some("other-resource")),
        (&fenced, "/orders/42", vec![good], 412, Some("stale")),
        (&fenced, "/unfenced/42", vec![good], 500, Some("no-layer")),
        (&down, "/orders/42", vec![ahead], 503, Some("unreachable")),
    ] {
        let mut request = reqwest::Client::new().put(format!("{base}{path}")).body("line");
        for header in &headers {
            request = request.header("fencing-token", *header);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{path} {headers:?}");
        let Some(kind) = kind else { continue };
        assert_eq!(answer.headers()["content-type"], Refusal::MEDIA_TYPE);
        let body = answer.text().await.unwrap();
        let told: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(told["type"], format!("urn:redfence:problem:{kind}"));
        assert_eq!(told["status"], status);
        assert!(!told["detail"].as_str().unwrap().is_empty() && !body.contains("secret"), "{body}");
        assert_eq!(Refusal::from_problem(body.as_bytes()).unwrap().status(), status, "{body}");
    }
    assert_eq!(shop.written(), ["line"]);
}

#[tokio::test]
async fn a_bare_number_counts_where_the_route_names_the_resource_and_only_if_that_is_wanted() {
    let route = |head: &http::request::Parts| Resource::new(head.uri.path().trim_start_matches('/'));
    let shop = Shop::default();
    let plain = serve(orders(&shop, TokenLayer::new())).await;
    let routed = serve(orders(&shop, TokenLayer::reading(TokenReader::new().for_route(route)))).await;
    let bare = serve(orders(&shop, TokenLayer::reading(TokenReader::new().for_route_or_bare(route)))).await;
    let good = ("fencing-token", r#"resource="orders/42"; token="42""#);
    let number = ("x-fencing-token", "42");

    for (base, headers, status) in [
        (&plain, vec![number], 428),
        (&routed, vec![number], 428),
        (&routed, vec![good], 204),
        (&routed, vec![("fencing-token", r#"resource="orders/43"; token="43""#)], 400),
        (&bare, vec![good], 204),
        (&bare, vec![number], 204),
        (&bare, vec![("x-fencing-token", "41")], 412),
        (&bare, vec![("x-fencing-token", "042")], 400),
        (&bare, vec![("x-fencing-token", "42; orders/43")], 400),
        (&bare, vec![number, number], 400),
        (&bare, vec![good, number], 400),
        (&bare, vec![], 428),
    ] {
        let mut request = reqwest::Client::new().put(format!("{base}/orders/42")).body("line");
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        assert_eq!(request.send().await.unwrap().status(), status, "{headers:?}");
    }
}
