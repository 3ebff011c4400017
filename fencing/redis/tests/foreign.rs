//! What other programs left at the key of a fence, or did to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod support;

use redfence::FencingToken;
use redfence::verifier::{RedisStore, Rule};
use redfence_redis::{FencedRedis, WriteError};
use support::{RedisServer, connection, order, runtime, token};

/// A key with a time to live ends, and where it was an older holder could write.
#[test]
fn a_time_to_live_that_another_program_gave_a_fence_is_taken_off() {
    let (server, runtime) = (RedisServer::start(), runtime());
    runtime.block_on(async {
        let store = FencedRedis::new(connection(&server.url()).await);
        for number in [7, 8] {
            store.fenced(&order(), token(number)).set("data", "x").await.unwrap();
            assert_eq!(server.command(&["PTTL", "redfence:fence:orders/42"]), "-1");
            server.command(&["EXPIRE", "redfence:fence:orders/42", "3600"]);
        }
    });
}

#[test]
fn what_another_program_left_is_an_error_and_never_a_free_fence() {
    let (server, runtime) = (RedisServer::start(), runtime());
    runtime.block_on(async {
        let store = FencedRedis::new(connection(&server.url()).await);
        let (order, fence) = (order(), "redfence:fence:orders/42");
        let long = "9".repeat(100_000);
        for left in ["", "0", "-1", "nan", "inf", "0x10", " 7", "1e3", "9007199254740992", "12345678901234567", &long] {
            server.command(&["HSET", fence, "token", left]);
            let write = store.fenced(&order, token(FencingToken::MAX)).set("data", "x").await;
            assert!(
                matches!(&write, Err(WriteError::Refused { reason }) if reason.contains("holds no token")),
                "{write:?}"
            );
            let library = RedisStore::new(connection(&server.url()).await);
            assert!(library.write(&order, token(9), Rule::AcceptEqual, b"x").await.is_err(), "{left:?}");
        }
        server.command(&["DEL", fence]);
        server.command(&["HSET", fence, "name", "x"]);
        let write = store.fenced(&order, token(9)).set("data", "x").await;
        assert!(
            matches!(&write, Err(WriteError::Refused { reason }) if reason.contains("no field token")),
            "{write:?}"
        );
        server.command(&["DEL", fence]);
        server.command(&["SET", fence, "7"]);
        let write = store.fenced(&order, token(9)).set("data", "x").await;
        assert!(matches!(&write, Err(WriteError::Refused { reason }) if reason.contains("WRONGTYPE")), "{write:?}");
        server.command(&["DEL", fence]);
        for call in [
            store.fenced(&order, token(9)).set(fence, "x").await,
            store.fenced(&order, token(9)).del(fence).await.map(|_| ()),
        ] {
            assert!(
                matches!(&call, Err(WriteError::Refused { reason }) if reason.contains("fence itself")),
                "{call:?}"
            );
        }
        let many = vec![("field", "value"); 600];
        assert!(matches!(store.fenced(&order, token(9)).hset("h", &many).await, Err(WriteError::Refused { .. })));
        assert!(matches!(store.fenced(&order, token(9)).hset("h", &many[..1]).await, Ok(())));
    });
    assert_eq!(server.command(&["EXISTS", "data"]), "0");
}
