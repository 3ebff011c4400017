//! The helpers of the other tests work: servers start, freeze, die and come back, and networks break on demand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers of a test say what they expect by panicking, as the tests do"
)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[cfg(feature = "tls")]
use support::TestCa;
use support::{Proxy, RedisServer, eventually, servers};

const PROMPT: Duration = Duration::from_secs(5);
/// How long nothing may arrive, where an answer would arrive at once.
const SILENCE: Duration = Duration::from_millis(50);

#[test]
fn a_server_answers_commands() {
    let server = RedisServer::bare();
    assert_eq!(server.command(&["PING"]), "PONG");
    assert_eq!(server.command(&["SET", "b", "two words"]), "OK");
    assert_eq!(server.command(&["GET", "b"]), "two words");
    assert_eq!(server.command(&["GET", "nothing"]), "(nil)");
    assert_eq!(server.command(&["INCR", "a"]), "1");
    assert_eq!(server.command(&["MGET", "a", "nothing", "b"]), "1\n(nil)\ntwo words");
    let unknown = server.command(&["NONSENSE"]);
    assert!(unknown.starts_with("(error) ERR unknown command ") && unknown.contains("NONSENSE"), "{unknown}");
    assert_eq!(server.keys(), ["a", "b"]);
    assert_eq!(server.command(&["FLUSHALL"]), "OK");
    assert!(server.keys().is_empty());
}

#[test]
fn a_server_takes_arguments_and_its_password_is_used() {
    let server = RedisServer::with(&["--maxmemory", "2mb", "--requirepass", "secret"]);
    assert_eq!(server.command(&["CONFIG", "GET", "maxmemory"]), "maxmemory\n2097152");
}

#[test]
fn several_servers_are_independent() {
    let servers = servers(3);
    servers[0].command(&["SET", "only", "here"]);
    let has_it = |server: &RedisServer| server.keys().contains(&"only".to_owned());
    assert_eq!(servers.iter().map(has_it).collect::<Vec<_>>(), [true, false, false]);
}

#[test]
fn a_paused_server_is_silent_and_answers_once_resumed() {
    let server = RedisServer::bare();
    let mut connection = connect(server.port());
    server.pause();
    server.pause();
    connection.write_all(b"PING\r\n").unwrap();
    assert_silent(&mut connection);
    server.resume();
    assert_eq!(read_line(&mut connection), "+PONG\r\n");
}

#[test]
fn a_restarted_server_has_forgotten_everything_and_kept_its_port() {
    let mut server = RedisServer::bare();
    server.command(&["SET", "key", "value"]);
    let port = server.port();
    server.kill();
    assert_eq!(TcpStream::connect(("127.0.0.1", port)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    server.restart();
    assert_eq!(server.port(), port);
    assert!(server.keys().is_empty());
}

#[test]
fn a_paused_server_can_be_restarted() {
    let mut server = RedisServer::bare();
    server.pause();
    server.restart();
    assert_eq!(server.command(&["PING"]), "PONG");
}

#[test]
fn a_persistent_server_remembers_across_a_restart() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    server.command(&["SET", "key", "value"]);
    server.restart();
    assert_eq!(server.command(&["GET", "key"]), "value");
}

#[tokio::test]
async fn a_condition_is_waited_for() {
    let mut polls = 0;
    eventually(PROMPT, "the third poll", async || {
        polls += 1;
        polls == 3
    })
    .await;
    assert_eq!(polls, 3);
}

#[tokio::test]
#[should_panic(expected = "waited 10ms, and still not: pigs that fly")]
async fn a_condition_that_never_holds_is_named() {
    eventually(Duration::from_millis(10), "pigs that fly", async || false).await;
}

#[test]
fn a_proxy_forwards_and_resets() {
    let server = RedisServer::bare();
    let proxy = Proxy::in_front_of(server.port());
    let mut connection = connect(proxy.port());
    assert_eq!(ping(&mut connection), "+PONG\r\n");

    proxy.reset_all();
    assert_eq!(connection.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(ping(&mut connect(proxy.port())), "+PONG\r\n");
}

#[test]
fn a_proxy_refuses_new_connections_and_keeps_the_open_ones() {
    let server = RedisServer::bare();
    let proxy = Proxy::in_front_of(server.port());
    let mut connection = connect(proxy.port());
    assert_eq!(ping(&mut connection), "+PONG\r\n");

    proxy.refuse(true);
    assert_eq!(TcpStream::connect(("127.0.0.1", proxy.port())).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ping(&mut connection), "+PONG\r\n");
    proxy.refuse(false);
    assert_eq!(ping(&mut connect(proxy.port())), "+PONG\r\n");
}

#[test]
fn a_proxy_holds_bytes_back_in_a_black_hole() {
    let server = RedisServer::bare();
    let proxy = Proxy::in_front_of(server.port());
    let mut connection = connect(proxy.port());
    proxy.blackhole(true);
    connection.write_all(b"SET key value\r\n").unwrap();
    assert_silent(&mut connection);
    assert!(server.keys().is_empty());
    proxy.blackhole(false);
    assert_eq!(read_line(&mut connection), "+OK\r\n");
}

#[test]
fn a_proxy_delays_one_direction_at_a_time() {
    let server = RedisServer::bare();
    let proxy = Proxy::in_front_of(server.port());
    let mut connection = connect(proxy.port());

    proxy.set_delay_to_client(2 * SILENCE);
    connection.write_all(b"SET key value\r\n").unwrap();
    assert_silent(&mut connection);
    assert_eq!(server.keys(), ["key"]);
    assert_eq!(read_line(&mut connection), "+OK\r\n");

    proxy.set_delay_to_client(Duration::ZERO);
    proxy.set_delay_to_server(2 * SILENCE);
    connection.write_all(b"FLUSHALL\r\n").unwrap();
    assert_silent(&mut connection);
    assert_eq!(read_line(&mut connection), "+OK\r\n");
    assert!(server.keys().is_empty());
}

#[test]
fn a_killed_server_is_noticed_behind_the_proxy() {
    let mut server = RedisServer::bare();
    let proxy = Proxy::in_front_of(server.port());
    let mut connection = connect(proxy.port());
    assert_eq!(ping(&mut connection), "+PONG\r\n");
    server.kill();
    assert!(matches!(connection.read(&mut [0]), Ok(0) | Err(_)), "a dead server says nothing more");
    server.restart();
    assert_eq!(ping(&mut connect(proxy.port())), "+PONG\r\n");
}

#[cfg(unix)]
#[test]
fn a_server_listens_on_a_unix_socket() {
    let server = RedisServer::with_unix_socket();
    let path = server.unix_url().strip_prefix("redis+unix://").unwrap().to_owned();
    let mut connection = std::os::unix::net::UnixStream::connect(path).unwrap();
    connection.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 7];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_server_speaks_tls_to_clients_that_trust_its_authority() {
    let (ca, stranger) = (TestCa::new(), TestCa::new());
    let server = RedisServer::start_tls(&ca);
    assert_eq!(server.tls_url(), format!("rediss://localhost:{}", server.tls_port()));
    assert_eq!(tls_ping(server.tls_port(), &ca).await.unwrap(), "+PONG\r\n");
    assert!(tls_ping(server.tls_port(), &stranger).await.is_err(), "another authority must not do");
}

#[cfg(feature = "tls")]
async fn tls_ping(port: u16, trusted: &TestCa) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted.ca_path()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));

    let socket = tokio::net::TcpStream::connect(("localhost", port)).await?;
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), socket).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PROMPT)).unwrap();
    stream
}

fn ping(connection: &mut TcpStream) -> String {
    connection.write_all(b"PING\r\n").unwrap();
    read_line(connection)
}

fn read_line(connection: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        line.extend_from_slice(&byte);
    }
    String::from_utf8(line).unwrap()
}

fn assert_silent(connection: &mut TcpStream) {
    connection.set_read_timeout(Some(SILENCE)).unwrap();
    let error = connection.read(&mut [0]).expect_err("silence");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "silence, not {error}");
    connection.set_read_timeout(Some(PROMPT)).unwrap();
}
