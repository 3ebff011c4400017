//! A proxy in front of a real server that starts to misbehave when a test says so. It has its own thread and runtime,
//! like the other proxy.

use std::net::Ipv4Addr;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::port::claim_port;

/// How a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As the real server answers.
    Well,
    /// Accepts connections, reads all that is sent, and says nothing.
    Silent,
    /// Bytes that are no answer, to everything.
    Rubbish,
    /// OK to every command, and then many unrequested messages: a login succeeds, and the connection is lost at once.
    Unasked,
    /// Bytes without an end, from the first moment on.
    Pouring,
}

/// What it sends instead of answers: other protocols, cut values, impossible sizes, and valid values of a wrong kind.
const RUBBISH: [&[u8]; 8] = [
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00\xff\xfe\x00",
    b"*-7\r\n",
    b"$999999999999\r\n",
    b"*3\r\n:1\r\n",
    b"+PONG\r\n+PONG\r\n+PONG\r\n",
    b":7\r\n",
    b"%2\r\n+a\r\n_\r\n",
];
/// More than a login reads at once, so that some is left after the login.
const UNASKED_TIMES: usize = 2_000;
const UNASKED: &[u8] = b">2\r\n+nobody\r\n+asked\r\n+for this\r\n";
/// Each line is a good answer to a login.
const POUR_PAUSE: Duration = Duration::from_millis(1);
const YES: &[u8] = b"+OK\r\n";

pub struct BadServer {
    port: u16,
    manner: watch::Sender<Manner>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl BadServer {
    /// Behaves until a test changes that.
    pub fn in_front_of(real_port: u16) -> Self {
        let (manner, port) = (watch::Sender::new(Manner::Well), claim_port());
        let (end, ended) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let told = manner.subscribe();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let door = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a port that is ours");
                ready.send(()).unwrap();
                let mut connections = JoinSet::new();
                let accept = async {
                    loop {
                        let (client, _) = door.accept().await.expect("to accept on our own port");
                        connections.spawn(serve(client, real_port, told.clone()));
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = ended => {}
                }
            });
        });
        is_ready.recv().expect("the server to come up");
        Self { port, manner, end: Some(end), thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From here on it answers in this way, over open connections and new ones.
    pub fn turn(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }
}

impl Drop for BadServer {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One connection, until either side ends it.
async fn serve(mut client: TcpStream, real_port: u16, mut told: watch::Receiver<Manner>) {
    let Ok(mut real) = TcpStream::connect((Ipv4Addr::LOCALHOST, real_port)).await else { return };
    let (_, _) = (client.set_nodelay(true), real.set_nodelay(true));
    let (mut said, mut answered) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let mut rubbish = RUBBISH.into_iter().cycle();
    loop {
        let manner = *told.borrow_and_update();
        if manner == Manner::Pouring {
            // Ends when the client hangs up. Slow, so that the client is never behind with reading.
            while client.write_all(YES).await.is_ok() {
                tokio::time::sleep(POUR_PAUSE).await;
            }
            return;
        }
        tokio::select! {
            changed = told.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            read = client.read(&mut said) => {
                let Ok(size @ 1..) = read else { return };
                let sent = match manner {
                    Manner::Well => real.write_all(&said[..size]).await,
                    Manner::Unasked => {
                        let commands = said[..size].split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"*"));
                        let yes = YES.repeat(commands.count());
                        client.write_all(&[yes, UNASKED.repeat(UNASKED_TIMES)].concat()).await
                    }
                    Manner::Rubbish => client.write_all(rubbish.next().unwrap_or_default()).await,
                    Manner::Silent | Manner::Pouring => Ok(()),
                };
                if sent.is_err() {
                    return;
                }
            }
            read = real.read(&mut answered) => {
                let Ok(size @ 1..) = read else { return };
                if manner == Manner::Well && client.write_all(&answered[..size]).await.is_err() {
                    return;
                }
            }
        }
    }
}
