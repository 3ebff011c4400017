//! If a server cannot be used, the error has the server's message, or names the step that did not end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use redfence::protocol::{FaultKind, Vote};
use redfence::{AcquireError, Redlock};
use support::set::patiently_over;
use support::{RedisServer, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PROMPT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn r10_a_full_server_is_reported_over_every_protocol() {
    let server = RedisServer::start();
    server.command(&["CONFIG", "SET", "maxclients", "1"]);
    let mut only_one = None;
    // The connection of the command above may count for a moment longer.
    eventually(PROMPT, "the server admits one connection", async || {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        let mut answer = [0; 7];
        let is_admitted = stream.write_all(b"PING\r\n").await.is_ok()
            && stream.read_exact(&mut answer).await.is_ok()
            && answer == *b"+PONG\r\n";
        only_one = is_admitted.then_some(stream);
        is_admitted
    })
    .await;
    eventually(PROMPT, "the server is full", async || {
        refused(&server.url()).await.contains("login refused (ERR max number of clients reached)")
    })
    .await;
    for _ in 0..20 {
        for rest in ["", "?protocol=resp2", "/3"] {
            let error = refused(&format!("{}{rest}", server.url())).await;
            assert!(error.contains("login refused (ERR max number of clients reached)"), "{rest}: {error}");
        }
    }
}

#[tokio::test]
async fn r10_a_wrong_number_of_a_database_is_reported() {
    let server = RedisServer::start();
    for rest in ["/99", "/99?protocol=resp2"] {
        let error = refused(&format!("{}{rest}", server.url())).await;
        assert!(error.contains("login refused (") && error.contains("DB index is out of range"), "{error}");
    }
}

#[tokio::test]
async fn r10_an_endless_script_is_not_reported_as_loading() {
    let server = RedisServer::with(&["--busy-reply-threshold", "50"]);
    let redlock = patiently_over(std::slice::from_ref(&server)).connect().await.unwrap();
    let mut endless = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    endless.write_all(b"EVAL \"while true do end\" 0\r\n").await.unwrap();
    eventually(PROMPT, "busy", async || {
        let Err(AcquireError::NoQuorum { votes, .. }) = redlock.try_acquire("r").await else { return false };
        let said = votes.to_string();
        votes.iter().all(|(_, vote)| matches!(vote, Vote::Failed(fault) if fault.kind == FaultKind::Busy))
            && said
                .starts_with("1 of 1 nodes: busy with a script that does not end (BUSY Redis is busy running a script.")
    })
    .await;
    server.command(&["SCRIPT", "KILL"]);
    eventually(PROMPT, "it goes on", async || redlock.try_acquire("r").await.is_ok()).await;
}

#[tokio::test]
async fn r10_a_proxy_that_does_not_know_hello_gets_a_hint_at_resp2() {
    for (answer, login, hint) in [
        ("", "", "hung up at HELLO without an answer"),
        ("-NOAUTH Authentication required.\r\n+OK\r\n+OK\r\n", ":pw@", "a proxy that does not know HELLO answers so"),
    ] {
        let address = answering(answer).await;
        let error = refused(&format!("redis://{login}{address}")).await;
        assert!(error.contains(hint) && error.contains("?protocol=resp2"), "{error}");
        assert!(!error.contains("pw"), "{error}");
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn r10_plain_and_tls_mixed_up_are_hinted_at_both_ways() {
    let ca = support::TestCa::new();
    let server = RedisServer::start_tls(&ca);
    let plain = refused(&format!("redis://localhost:{}", server.tls_port())).await;
    assert!(plain.contains("rediss://"), "{plain}");
    // One server that answers, and one that waits for the end of a line.
    let answers = answering("-ERR unknown command\r\n").await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for address in [answers, silent.local_addr().unwrap().to_string(), format!("127.0.0.1:{}", server.port())] {
        let builder = Redlock::builder().urls([format!("rediss://{address}")]).ca_file(ca.ca_path());
        let error = builder.dial_timeout(Duration::from_millis(500)).connect().await.unwrap_err().to_string();
        assert!(error.contains("redis://") && error.contains("TLS"), "{error}");
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn r10_a_server_that_demands_a_certificate_is_given_one() {
    let (ca, stranger) = (support::TestCa::new(), support::TestCa::new());
    let mut server = RedisServer::start_tls(&ca);
    server.found();
    assert_eq!(server.command(&["CONFIG", "SET", "tls-auth-clients", "yes"]), "OK");
    let builder = || Redlock::builder().urls([server.tls_url()]).ca_file(ca.ca_path());

    let error = builder().connect().await.unwrap_err().to_string();
    assert!(error.contains("the server demands a certificate: name one and its key (--cert and --key"), "{error}");
    let error = builder().client_certificate(stranger.certificate_path(), stranger.key_path()).connect().await;
    assert!(error.is_err());
    let redlock = builder().client_certificate(ca.certificate_path(), ca.key_path()).connect().await.unwrap();
    drop(redlock.acquire("r").await.unwrap().release().await);

    for (certificate, key, problem) in [
        (ca.ca_path(), ca.key_path(), "it is not the certificate of that key"),
        (ca.key_path(), ca.key_path(), "no certificate in it"),
        (ca.certificate_path(), ca.certificate_path(), "no private key"),
        (ca.certificate_path(), "/nowhere".into(), "/nowhere"),
    ] {
        let error = builder().client_certificate(certificate, key).connect().await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    server.kill();
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn r10_the_name_of_a_server_may_be_another_than_the_host() {
    let ca = support::TestCa::new();
    let server = RedisServer::start_tls(&ca);
    server.found();
    let builder =
        |host: &str| Redlock::builder().urls([format!("rediss://{host}:{}", server.tls_port())]).ca_file(ca.ca_path());
    let error = builder("127.0.0.1").server_name("elsewhere").connect().await.unwrap_err().to_string();
    assert!(error.contains("--sni"), "{error}");
    builder("127.0.0.1").server_name("localhost").connect().await.unwrap();
    let error = builder("127.0.0.1").server_name("no name").connect().await.unwrap_err().to_string();
    assert!(error.contains("\"no name\" is neither"), "{error}");
}

/// Why a server cannot be connected to.
async fn refused(url: &str) -> String {
    Redlock::connect([url]).await.unwrap_err().to_string()
}

/// A server that reads once, gives one answer and hangs up.
async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.read(&mut [0; 4096]).await;
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    address
}
