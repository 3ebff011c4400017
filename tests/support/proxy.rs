//! A network between a client and one server, which the test can break. It has its own thread and runtime, so that a
//! test may pause tokio's time, or block, without stopping it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::port::claim_port;

const CHUNK_BYTES_MAX: usize = 16 * 1024;
/// How much a direction buffers before it stops reading, like a full socket buffer.
const CHUNKS_HELD_MAX: usize = 64;
const ACCEPT_BACKLOG: u32 = 1024;

/// Forwards a loopback port to the port of a server.
pub struct Proxy {
    port: u16,
    conditions: Arc<Conditions>,
    orders: Option<mpsc::UnboundedSender<(Order, Sender<()>)>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy)]
enum Order {
    ResetAll,
    Refuse(bool),
}

/// What happens to bytes on their way. Every connection reads it; a test may change it at any time.
#[derive(Default)]
struct Conditions {
    delay_to_server_micros: AtomicU64,
    delay_to_client_micros: AtomicU64,
    blackhole: watch::Sender<bool>,
}

impl Proxy {
    pub fn in_front_of(server_port: u16) -> Self {
        Self::at(claim_port(), server_port)
    }

    /// On a port that the test has claimed.
    pub fn at(port: u16, server_port: u16) -> Self {
        let conditions = Arc::new(Conditions::default());
        let (orders, incoming) = mpsc::unbounded_channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let conditions = Arc::clone(&conditions);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut door = Door::reserved(port).expect("a port that is ours").opened();
                    ready.send(()).unwrap();
                    serve(&mut door, server_port, conditions, incoming).await;
                });
            }
        });
        is_ready.recv().expect("the proxy to come up");
        Self { port, conditions, orders: Some(orders), thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Drops every open connection with a reset on both sides. New ones are accepted.
    pub fn reset_all(&self) {
        self.carry_out(Order::ResetAll);
    }

    /// From here on every byte from a client reaches the server later by `delay`. Order is kept.
    pub fn set_delay_to_server(&self, delay: Duration) {
        set_micros(&self.conditions.delay_to_server_micros, delay);
    }

    /// From here on every byte from the server reaches the client later by `delay`. Order is kept.
    pub fn set_delay_to_client(&self, delay: Duration) {
        set_micros(&self.conditions.delay_to_client_micros, delay);
    }

    /// While true, connections stay open and nothing gets through, as behind a dead link.
    /// What was sent meanwhile arrives once it is false again, as TCP would have it; `reset_all` loses it.
    pub fn blackhole(&self, on: bool) {
        self.conditions.blackhole.send_replace(on);
    }

    /// While true, new connections are refused. Open ones go on.
    pub fn refuse(&self, on: bool) {
        self.carry_out(Order::Refuse(on));
    }

    /// Returns when the order has taken effect, so that a test need not guess.
    fn carry_out(&self, order: Order) {
        let (done, is_done) = std::sync::mpsc::channel();
        let orders = self.orders.as_ref().expect("orders are given before the proxy is dropped");
        orders.send((order, done)).expect("the proxy to be running");
        is_done.recv().expect("the proxy to carry out the order");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn set_micros(cell: &AtomicU64, delay: Duration) {
    cell.store(u64::try_from(delay.as_micros()).unwrap(), Ordering::SeqCst);
}

/// The proxy keeps the port also while it does not listen: a bound socket that does not listen refuses.
enum Door {
    Open(TcpListener),
    Closed(TcpSocket),
    /// Only during a change from one state to another.
    Ajar,
}

impl Door {
    fn reserved(port: u16) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        // So that the port can be bound again while its listener is still there: no other program gets it in between.
        socket.set_reuseport(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        Ok(Self::Closed(socket))
    }

    fn opened(self) -> Self {
        match self {
            Self::Closed(socket) => Self::Open(socket.listen(ACCEPT_BACKLOG).expect("to listen on our own port")),
            other => other,
        }
    }

    fn closed(self) -> Self {
        match self {
            Self::Open(listener) => {
                let port = listener.local_addr().unwrap().port();
                let reserved = Self::reserved(port).expect("to keep our own port");
                drop(listener);
                reserved
            }
            other => other,
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        match self {
            Self::Open(listener) => listener.accept().await.map(|(client, _)| client),
            Self::Closed(_) | Self::Ajar => std::future::pending().await,
        }
    }
}

async fn serve(
    door: &mut Door,
    server_port: u16,
    conditions: Arc<Conditions>,
    mut incoming: mpsc::UnboundedReceiver<(Order, Sender<()>)>,
) {
    let resets = watch::Sender::new(());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            client = door.accept() => {
                let client = client.expect("to accept on our own port");
                connections.spawn(connect_through(client, server_port, Arc::clone(&conditions), resets.subscribe()));
            }
            Some(_) = connections.join_next() => {}
            order = incoming.recv() => {
                let Some((order, done)) = order else { return };
                match order {
                    Order::ResetAll => {
                        resets.send_replace(());
                        while connections.join_next().await.is_some() {}
                    }
                    Order::Refuse(true) => *door = std::mem::replace(door, Door::Ajar).closed(),
                    Order::Refuse(false) => *door = std::mem::replace(door, Door::Ajar).opened(),
                }
                let _ = done.send(());
            }
        }
    }
}

/// One client's connection. If both sides close it, it ends with a close, and otherwise with a reset.
async fn connect_through(
    mut client: TcpStream,
    server_port: u16,
    conditions: Arc<Conditions>,
    mut reset: watch::Receiver<()>,
) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await else {
        let _ = client.set_zero_linger();
        return;
    };
    // Redis answers in small packets: the proxy must add no delay but the configured one.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);

    let ended_politely = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both_ways = async {
            tokio::try_join!(
                forward(from_client, to_server, &conditions.delay_to_server_micros, conditions.blackhole.subscribe()),
                forward(from_server, to_client, &conditions.delay_to_client_micros, conditions.blackhole.subscribe()),
            )
        };
        tokio::select! {
            _ = reset.changed() => false,
            outcome = both_ways => outcome.is_ok(),
        }
    };
    if !ended_politely {
        // Without lingering, a close is a reset.
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}

async fn forward(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    delay_micros: &AtomicU64,
    mut blackhole: watch::Receiver<bool>,
) -> io::Result<()> {
    let (hold, mut held) = mpsc::channel::<(Option<Instant>, Vec<u8>)>(CHUNKS_HELD_MAX);
    let read = async move {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES_MAX];
            let size = from.read(&mut chunk).await?;
            chunk.truncate(size);
            if size == 0 || hold.send((due(delay_micros), chunk)).await.is_err() {
                return io::Result::Ok(());
            }
        }
    };
    let write = async move {
        while let Some((due, chunk)) = held.recv().await {
            if let Some(due) = due {
                tokio::time::sleep_until(due).await;
            }
            let _ = blackhole.wait_for(|on| !*on).await;
            to.write_all(&chunk).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(|_| ())
}

#[expect(clippy::disallowed_methods, reason = "the delay of a network that stands between real processes")]
fn due(delay_micros: &AtomicU64) -> Option<Instant> {
    let delay = Duration::from_micros(delay_micros.load(Ordering::SeqCst));
    (!delay.is_zero()).then(|| Instant::now() + delay)
}
