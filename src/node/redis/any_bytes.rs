//! Tests with random bytes as replies: the result is always a reply, a fault or "incomplete", never a panic.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use redis::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::byte_stream::ByteStream;
use super::decode;
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

#[test]
fn r6_any_bytes_are_a_reply_or_a_fault() {
    // For a long run: REDFENCE_FUZZ_CASES=1000000.
    let cases = std::env::var("REDFENCE_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(4_096);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    });
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
