//! A server that takes signed tokens only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests say what they expect by panicking, as tests do"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use redfence::{Clock, Moment, Resource, SystemClock, WallTime};
use redfence_http::client::AddToken;
use redfence_http::{Presented, Refusal, TokenLayer, TokenReader};
use redfence_signed_token::{Key, Keys};
use support::{Shop, client, lock, orders, serve};

/// The machine's clock, an hour behind.
struct Behind;

impl Clock for Behind {
    fn now(&self) -> Moment {
        SystemClock.now()
    }

    fn wall(&self) -> WallTime {
        WallTime::from_unix_us(SystemClock.wall().unix_us() - 3_600_000_000)
    }
}

fn keys(secret: u8) -> Keys {
    Keys::new(Key::new("2026-11", vec![secret; 32]).unwrap())
}

#[tokio::test]
async fn only_a_signed_token_passes_and_no_caller_can_poison_the_resource() {
    let shop = Shop::default();
    let route = |head: &http::request::Parts| Resource::new(head.uri.path().trim_start_matches('/'));
    let reader = TokenReader::new().for_route_or_bare(route).signed(keys(7), SystemClock);
    let url = serve(orders(&shop, TokenLayer::reading(reader))).await + "/orders/42";
    let locker = lock(Duration::from_secs(20));
    let guard = locker.acquire("orders/42").await.unwrap();
    let other = locker.acquire("orders/43").await.unwrap();
    let minute = Duration::from_secs(60);

    // A huge number without a signature.
    let huge = Presented::new(guard.resource().clone(), redfence::FencingToken::new((1 << 53) - 1).unwrap());
    for (name, value, status) in [
        ("fencing-token", huge.to_string(), 403),
        ("x-fencing-token", huge.token.to_string(), 428),
        ("fencing-token", "signed=\"redfence1.x\"".to_owned(), 400),
        ("fencing-token", "signed=redfence1".to_owned(), 400),
    ] {
        let answer = reqwest::Client::new().put(&url).header(name, &value).send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}: {value}");
    }

    for (adds, status, says) in [
        (AddToken::signed(&guard, keys(8), SystemClock, minute), 403, "the MAC is wrong"),
        (AddToken::signed(&guard, keys(7), Behind, minute), 403, "expired"),
        (AddToken::signed(&other, keys(7), SystemClock, minute), 400, "is for"),
        (AddToken::signed(&guard, keys(7), SystemClock, minute), 204, ""),
    ] {
        let answer = client(vec![Arc::new(adds)]).put(&url).body("signed").send().await.unwrap();
        assert_eq!(answer.status(), status, "{says}");
        let body = answer.bytes().await.unwrap();
        if status != 204 {
            let refusal = Refusal::from_problem(&body).unwrap();
            assert!(refusal.to_string().contains(says), "{refusal}");
        }
    }
    assert_eq!(shop.written(), ["signed"]);
}
