//! Connecting and acquiring end, whatever servers do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use redfence::node::{Responder, WakeListener};
use redfence::protocol::Request;
use redfence::{AcquireError, Builder, Clock as _, ConnectError, LockerId, Node, NodeId, Redlock, TokioClock};
use support::stage::WALL_AT_START;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Dialling takes a second at most, and the first look at the nodes three.
const PROMPT: Duration = Duration::from_secs(10);

/// What a server does with a connection.
#[derive(Debug, Clone, Copy)]
enum Manners {
    /// It answers OK to everything, and never stops answering.
    SaysYesForEver,
    /// It sends more answers than it was asked for, and keeps reading.
    SaysTooMuch,
    /// It accepts every login, and sends nothing from then on.
    FallsSilent,
    /// It accepts every login, and sends one byte a second from then on.
    Drips,
    /// It never sends anything.
    IsSilent,
}

/// A server on a free port, gone with the runtime.
async fn server(manners: Manners) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, manners));
        }
    });
    url
}

/// Ends with the connection.
async fn serve(mut stream: TcpStream, manners: Manners) -> std::io::Result<()> {
    let mut said = [0; 4096];
    loop {
        let length = stream.read(&mut said).await?;
        let is_login = said[..length].windows(5).all(|word| word != b"*1024" && word != b"EVALS" && word != b"EVAL\r");
        match manners {
            _ if length == 0 => return Ok(()),
            Manners::IsSilent => {}
            Manners::SaysYesForEver => loop {
                stream.write_all(b"+OK\r\n").await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            },
            // The unrequested messages are there as soon as the login is over.
            Manners::SaysTooMuch => loop {
                stream.write_all(b"+OK\r\n").await?;
                tokio::task::yield_now().await;
            },
            // One OK for each command.
            _ if is_login => {
                let commands = said[..length].split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"*"));
                for _ in commands {
                    stream.write_all(b"+OK\r\n").await?;
                }
            }
            Manners::FallsSilent => {}
            Manners::Drips => loop {
                stream.write_all(b"$").await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            },
        }
    }
}

#[tokio::test]
async fn r4_connect_ends_whatever_servers_send() {
    use Manners::{Drips, FallsSilent, IsSilent, SaysTooMuch, SaysYesForEver};
    for manners in [SaysYesForEver, SaysTooMuch, FallsSilent, Drips, IsSilent] {
        let urls = [server(manners).await, server(manners).await, server(manners).await];
        let connected = timeout(PROMPT, Redlock::connect(urls)).await;
        let connected = connected.unwrap_or_else(|_| panic!("{manners:?}: still in connect() after {PROMPT:?}"));
        if let Ok(redlock) = connected {
            let outcome = timeout(PROMPT, redlock.try_acquire("r")).await;
            let outcome = outcome.unwrap_or_else(|_| panic!("{manners:?}: still in try_acquire() after {PROMPT:?}"));
            assert!(matches!(outcome, Err(AcquireError::NoQuorum { .. })), "{manners:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn r4_connect_says_what_it_could_not_resolve() {
    let urls = ["redis://no-such-host.invalid:1", "redis://no-such-host.invalid:2", "redis://no-such-host.invalid:3"];
    let error = timeout(PROMPT, Redlock::connect(urls)).await.unwrap().unwrap_err();
    assert!(matches!(&error, ConnectError::NoQuorum { reached: 0, .. }), "{error}");
}

/// A node that takes every request and never answers.
#[derive(Clone, Default)]
struct Mute(Arc<Mutex<Vec<Responder>>>);

impl Node for Mute {
    fn send(&self, _: Request, answer: Responder) {
        self.0.lock().unwrap().push(answer);
    }

    fn listen(&self, _: NodeId, _: LockerId, _: Weak<dyn WakeListener>) {}

    fn admit(&self, _: u64) {}

    fn address(&self) -> String {
        "mute".to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn r4_try_acquire_takes_no_longer_than_the_nodes_may_take_to_answer() {
    let clock = Arc::new(TokioClock::starting_at(WALL_AT_START));
    let node_timeout = Duration::from_millis(200);
    let builder = Redlock::builder().clock(Arc::clone(&clock) as _).node_timeout(node_timeout);
    let redlock = (0..3).map(|_| Mute::default()).fold(builder, Builder::node).build().unwrap();
    for wait in [Duration::ZERO, Duration::from_millis(50)] {
        let began = clock.now();
        let error = redlock.acquire_within("r", wait).await.unwrap_err();
        assert!(matches!(error, AcquireError::NoQuorum { .. }), "{error}");
        let took = clock.now().since(began);
        assert!(took <= node_timeout * 2, "{took:?} with a wait of {wait:?}");
    }
}
