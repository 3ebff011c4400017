//! Tests with random bytes as replies: the result is always a reply, a fault or "incomplete", never a panic.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use redis::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::byte_stream::ByteStream;
use super::decode;
use super::frame;
use super::keys::Prefix;
use crate::protocol::{FaultKind, Reply, Verb};

/// Bytes that arrive in pieces, and then the end.
struct Pieces(Vec<u8>, usize);

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, place: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let size = self.1.min(self.0.len()).min(place.remaining());
        let rest = self.0.split_off(size);
        place.put_slice(&std::mem::replace(&mut self.0, rest));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Parts of replies in random order, with random bytes between them.
fn replies() -> impl Strategy<Value = Vec<u8>> {
    let parts: Vec<&[u8]> = vec![
        b"*",
        b"$",
        b":",
        b"+",
        b"-",
        b">",
        b"%",
        b"~",
        b"|",
        b"_\r\n",
        b"#t\r\n",
        b",1.5\r\n",
        b"(9\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"\r\n",
        b"0",
        b"1",
        b"2",
        b"3",
        b"4",
        b"10",
        b"-1",
        b"999999999999999999999",
        b"4611686018427387904",
        b":1\r\n",
        b"$1\r\nx\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*4\r\n",
        b"*10\r\n",
        b"*1\r\n",
        b"-ERR no\r\n",
        b"-BUSY x\r\n",
        b"+message\r\n",
        b"$16\r\n1784000000000000\r\n",
        b"$7\r\nmessage\r\n",
        b"$9\r\nsubscribe\r\n",
    ];
    let part = prop_oneof![
        12 => select(parts).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..8),
    ];
    vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// Whole replies inside of each other. Some lines end as a program might end them that does not know the protocol.
fn nested() -> impl Strategy<Value = Vec<u8>> {
    let end =
        prop_oneof![20 => Just(&b"\r\n"[..]), 1 => Just(&b"\n"[..]), 1 => Just(&b"\r\r\n"[..]), 1 => Just(&b" \n"[..])];
    let word =
        prop_oneof![Just("1"), Just("a"), Just("*2"), Just("$3"), Just("-1"), Just("a\rb"), Just("a\n:1"), Just("")];
    let line = (select(vec!["+", "-", ":"]), word, end.clone());
    let line = line.prop_map(|(kind, word, end)| [kind.as_bytes(), word.as_bytes(), end].concat());
    let bulk = vec(select(b"ab\r\n:1$*".to_vec()), 0..60)
        .prop_map(|bytes| [format!("${}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat());
    prop_oneof![line, bulk].prop_recursive(4, 40, 5, move |inner| {
        let parts = (select(vec!["*", "~", "%"]), vec(inner, 0..6), end.clone());
        parts.prop_map(|(kind, mut parts, end)| {
            let count = if kind == "%" { parts.len() / 2 } else { parts.len() };
            parts.truncate(if kind == "%" { 2 * count } else { count });
            [&[kind.as_bytes(), count.to_string().as_bytes(), end].concat()[..], &parts.concat()].concat()
        })
    })
}

fn verbs() -> [Verb; 9] {
    let ttl = Duration::from_secs(1);
    [
        Verb::Grant { ttl, floor: 0, block: 1, waits: None },
        Verb::Seal { token: 1 },
        Verb::Extend { ttl },
        Verb::RELEASE,
        Verb::Leave,
        Verb::Force,
        Verb::Inspect,
        Verb::Scan { cursor: 0, count: 1, remove: false },
        Verb::Probe { max_ttl: ttl },
    ]
}

fn runner() -> TestRunner {
    // For a long run: REDFENCE_FUZZ_CASES=1000000.
    let cases = std::env::var("REDFENCE_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(4_096);
    TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) })
}

#[test]
fn r6_a_reply_leaves_nothing_behind_that_the_next_request_would_get() {
    let outcome = runner().run(&nested(), |mut bytes| {
        bytes.extend_from_slice(b":4711\r\n");
        let mut stream = ByteStream::over(Box::new(Pieces(bytes.clone(), bytes.len())));
        let mut context = Context::from_waker(Waker::noop());
        let Ok(Some(_)) = stream.read(&mut context) else { return Ok(()) };
        let length = frame::len(&bytes).ok().flatten().unwrap_or_default();
        let fresh = redis::parse_redis_value(bytes.get(length..).unwrap_or_default());
        let next = stream.read(&mut context);
        prop_assert_eq!(next.ok().flatten(), fresh.ok(), "{}", bytes.escape_ascii());
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn r6_any_bytes_are_a_reply_or_a_fault() {
    let mut runner = runner();
    let prefix = Prefix::default();
    let outcome = runner.run(&(replies(), 1..40_usize), |(bytes, piece)| {
        let mut pipe = ByteStream::over(Box::new(Pieces(bytes, piece)));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match pipe.read(&mut context) {
                Ok(None) => panic!("there is always more, or the end"),
                Err(fault) => {
                    prop_assert!(matches!(fault.kind, FaultKind::Unexpected | FaultKind::ConnectionLost));
                    prop_assert!(fault.detail.chars().count() < 300);
                    return Ok(());
                }
                Ok(Some(value)) => {
                    let _ = decode::as_push(value.clone());
                    let _ = decode::are_loaded(&value);
                    for verb in verbs() {
                        if let Reply::Failed(fault) = decode::reply(&prefix, &verb, value.clone()) {
                            prop_assert!(fault.to_string().chars().count() < 300);
                        }
                    }
                    prop_assert!(!matches!(value, Value::Array(parts) if parts.len() > 16 * 1024));
                }
            }
        }
    });
    outcome.unwrap();
}
