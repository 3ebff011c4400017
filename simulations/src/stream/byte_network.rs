//! [`ByteNetwork`]: the network of bytes between processes and servers. Each connection has two channels, and each
//! keeps its order, with any latency. Faults are those of TCP. A cut holds bytes back or loses the connection silently.
//! A broken connection loses the bytes on their way, or delivers them late, long after the client has dialled again. A
//! reset may cut a frame in two.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;

use super::byte_channel::{ByteChannel, Segment};
use super::server::{ClientId, Output, Server};
use crate::harness::{NetworkConditions, Process, World, lock, tie};
use crate::plan::{Direction, NetworkProfile};

/// The network of one run.
pub struct ByteNetwork {
    me: Weak<Self>,
    world: Arc<World>,
    faults_end_ms: u64,
    inner: Mutex<Inner>,
    /// Called after a server has handled the bytes that arrived.
    after_work: Box<dyn Fn(u8) + Send + Sync>,
}

struct Inner {
    servers: Vec<Server>,
    conditions: NetworkConditions,
    connections: BTreeMap<u64, Connection>,
    connections_ever: u64,
}

/// One connection, with both its ends.
struct Connection {
    process: Arc<Process>,
    node: u8,
    /// Its name at the server.
    client: ClientId,
    to_node: ByteChannel,
    to_client: ByteChannel,
    /// Nothing gets through any more, and neither end notices.
    mute: bool,
    /// The client has closed or dropped it.
    abandoned: bool,
    /// Bytes that have arrived and were not read yet.
    incoming: VecDeque<u8>,
    end: Option<End>,
    reader: Option<Waker>,
}

/// How a connection ended, as the client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    Reset,
}

/// Bytes that a client finds.
pub(super) enum Read {
    Bytes(Vec<u8>),
    End(End),
    Nothing,
}

/// How many segments in a thousand are cut in two on their way.
const SPLIT_PER_MILLE: u32 = 60;
/// The deliveries of a message that breaks its connection.
const LOSS_KINDS: u64 = 5;

impl ByteNetwork {
    /// A network to these servers, on which nothing stays for long after `faults_end_ms`. `after_work` is called with a
    /// server's number when it has handled requests.
    #[must_use]
    pub fn new(
        world: &Arc<World>,
        servers: Vec<Server>,
        (network, faults_end_ms): (NetworkProfile, u64),
        after_work: impl Fn(u8) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let inner = Inner {
            servers,
            conditions: NetworkConditions::new(network),
            connections: BTreeMap::new(),
            connections_ever: 0,
        };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            world: Arc::clone(world),
            faults_end_ms,
            inner: Mutex::new(inner),
            after_work: Box::new(after_work),
        })
    }

    /// Changes the faults of the network, and delivers bytes that are not held back any more.
    pub fn with_conditions<T>(&self, change: impl FnOnce(&mut NetworkConditions) -> T) -> T {
        let mut inner = lock(&self.inner);
        let changed = change(&mut inner.conditions);
        let Inner { connections, conditions, .. } = &mut *inner;
        for (id, connection) in connections {
            let (client, node) = (connection.process.client, connection.node);
            for direction in [Direction::ToNode, Direction::ToClient] {
                if conditions.partition(client, node, direction).is_none() {
                    for segment in std::mem::take(&mut connection.channel(direction).held) {
                        self.schedule(*id, connection, direction, conditions, segment);
                    }
                }
            }
        }
        changed
    }

    /// Whether bytes of a client reach a node, and the other way round.
    #[must_use]
    pub fn reaches(&self, client: u8, node: u8) -> bool {
        let inner = lock(&self.inner);
        [Direction::ToNode, Direction::ToClient]
            .iter()
            .all(|direction| inner.conditions.partition(client, node, *direction).is_none())
    }

    /// The round trip to a node for a dial; `None` if no answer comes.
    pub(super) fn round_trip_ms(&self, process: &Process, node: u8) -> Option<u64> {
        let inner = lock(&self.inner);
        let cut = |direction| inner.conditions.partition(process.client, node, direction).is_some();
        let network = inner.conditions.between(process.client, node);
        let lost = self.world.random(|rng| rng.per_mille(network.loss_per_mille));
        let ms = self.takes_ms(network) + self.takes_ms(network);
        (!lost && !cut(Direction::ToNode) && !cut(Direction::ToClient)).then_some(ms)
    }

    /// Opens a connection; `None` if the server is down.
    pub(super) fn connect(&self, process: &Arc<Process>, node: u8) -> Option<u64> {
        let mut inner = lock(&self.inner);
        let client = inner.servers.get(usize::from(node))?.connect()?;
        inner.connections_ever += 1;
        let id = inner.connections_ever;
        inner.connections.insert(id, Connection::new(process, node, client));
        self.world.note(|| format!("{}: c{} connects to n{node} as #{id}", process.life, process.client));
        Some(id)
    }

    /// Bytes from a client; false if the connection has ended.
    pub(super) fn send(&self, id: u64, bytes: &[u8]) -> bool {
        let mut inner = lock(&self.inner);
        let Inner { connections, conditions, .. } = &mut *inner;
        let Some(connection) = connections.get_mut(&id) else { return false };
        if connection.end.is_some() {
            return false;
        }
        if !self.world.is_over() && !connection.process.is_dead() {
            self.post(id, connection, Direction::ToNode, conditions, Segment::Bytes(bytes.to_vec()));
        }
        wake(inner, id);
        true
    }

    /// What a client finds when it reads; it is woken when there is more.
    pub(super) fn receive(&self, id: u64, most: usize, waker: &Waker) -> Read {
        let mut inner = lock(&self.inner);
        let Some(connection) = inner.connections.get_mut(&id) else { return Read::End(End::Reset) };
        if connection.incoming.is_empty() {
            return match connection.end {
                Some(end) => Read::End(end),
                None => {
                    connection.reader = Some(waker.clone());
                    Read::Nothing
                }
            };
        }
        let length = most.min(connection.incoming.len());
        Read::Bytes(connection.incoming.drain(..length).collect())
    }

    /// A client closes its end.
    pub(super) fn close(&self, id: u64) {
        let mut inner = lock(&self.inner);
        let Inner { connections, conditions, .. } = &mut *inner;
        let Some(connection) = connections.get_mut(&id) else { return };
        connection.abandoned = true;
        connection.reader = None;
        if !self.world.is_over() && connection.end.is_none() {
            connection.end = Some(End::Closed);
            self.post(id, connection, Direction::ToNode, conditions, Segment::End);
        }
        forget_if_over(&mut inner, id);
    }

    /// A process has died: its connections end after the bytes that it has sent.
    pub fn died(&self, process: &Arc<Process>) {
        let mut inner = lock(&self.inner);
        let Inner { connections, conditions, .. } = &mut *inner;
        for (id, connection) in connections {
            if Arc::ptr_eq(&connection.process, process) && connection.end.is_none() {
                self.post(*id, connection, Direction::ToNode, conditions, Segment::End);
            }
        }
    }

    /// A server does something: bytes on their way back, or the end of a connection.
    pub fn carry(&self, node: u8, outputs: Vec<(ClientId, Output)>) {
        let mut inner = lock(&self.inner);
        let Inner { connections, conditions, .. } = &mut *inner;
        for (client, output) in outputs {
            let is_it = |connection: &Connection| connection.node == node && connection.client == client;
            let found = connections.iter_mut().find(|(_, connection)| is_it(connection));
            let Some((id, connection)) = found else { continue };
            let segment = match output {
                Output::Bytes(bytes) => Segment::Bytes(bytes),
                Output::HangUp => Segment::End,
            };
            if connection.end.is_none() {
                self.post(*id, connection, Direction::ToClient, conditions, segment);
            }
        }
    }

    /// A server has crashed: its connections are gone, and the clients notice when the reset reaches them.
    pub fn server_crashed(&self, node: u8) {
        let mut inner = lock(&self.inner);
        let Inner { connections, conditions, .. } = &mut *inner;
        for (id, connection) in connections.iter_mut().filter(|(_, connection)| connection.node == node) {
            connection.to_node.clear();
            if connection.end.is_none() {
                self.post(*id, connection, Direction::ToClient, conditions, Segment::Reset);
            }
        }
    }

    /// Forgets every connection: the run is over.
    pub fn close_all(&self) {
        let connections = std::mem::take(&mut lock(&self.inner).connections);
        drop(connections);
    }

    /// Sends a segment, or loses it.
    fn post(
        &self,
        id: u64,
        connection: &mut Connection,
        direction: Direction,
        conditions: &NetworkConditions,
        segment: Segment,
    ) {
        if connection.mute {
            return;
        }
        let (client, node) = (connection.process.client, connection.node);
        match conditions.partition(client, node, direction) {
            Some(true) => return connection.channel(direction).held.push_back(segment),
            Some(false) => return connection.mute = true,
            None => {}
        }
        let loss = conditions.between(client, node).loss_per_mille;
        let (lost, loss_kind) = self.world.random(|rng| (rng.per_mille(loss), rng.below(LOSS_KINDS)));
        if !lost {
            return self.schedule(id, connection, direction, conditions, segment);
        }
        self.world.note(|| format!("#{id} breaks, loss kind {loss_kind}"));
        match (loss_kind, segment) {
            // Silence.
            (0, _) => connection.mute = true,
            // The old socket keeps the bytes, and delivers them long after the client has given up.
            (1, segment @ Segment::Bytes(_)) if direction == Direction::ToNode => {
                let late_ms = self.world.random(|rng| u64::from(rng.skewed(LATE_MS_MAX)));
                connection.to_node.not_before(self.world.now_ms() + late_ms);
                self.schedule(id, connection, direction, conditions, segment);
                self.schedule(id, connection, direction, conditions, Segment::End);
                connection.end = Some(End::Reset);
            }
            // It arrives, and then the connection ends.
            (2, segment) => {
                self.schedule(id, connection, direction, conditions, segment);
                self.break_off(id, connection, conditions);
            }
            // Cut in the middle of a frame.
            (3, Segment::Bytes(bytes)) => {
                let at = self.world.random(|rng| rng.below(bytes.len() as u64));
                let (front, _) = bytes.split_at(usize::try_from(at).unwrap_or_default());
                self.schedule(id, connection, direction, conditions, Segment::Bytes(front.to_vec()));
                self.break_off(id, connection, conditions);
            }
            // The bytes are lost with the connection.
            _ => self.break_off(id, connection, conditions),
        }
    }

    /// Both ends notice that the connection has ended, each after the bytes on their way.
    fn break_off(&self, id: u64, connection: &mut Connection, conditions: &NetworkConditions) {
        self.schedule(id, connection, Direction::ToNode, conditions, Segment::End);
        self.schedule(id, connection, Direction::ToClient, conditions, Segment::Reset);
    }

    fn schedule(
        &self,
        id: u64,
        connection: &mut Connection,
        direction: Direction,
        conditions: &NetworkConditions,
        segment: Segment,
    ) {
        let network = conditions.between(connection.process.client, connection.node);
        let cut_at = self.world.random(|rng| match &segment {
            Segment::Bytes(bytes) if bytes.len() > 1 && rng.per_mille(SPLIT_PER_MILLE) => rng.below(bytes.len() as u64),
            _ => 0,
        });
        let (first, second) = segment.split(usize::try_from(cut_at).unwrap_or_default());
        for segment in [Some(first), second].into_iter().flatten() {
            let due_ms = connection.channel(direction).arrives_ms(self.world.now_ms() + self.takes_ms(network));
            // Even late bytes do not arrive long after the end of the faults: from then on delays are bounded.
            let due_ms = due_ms.min(self.faults_end_ms.max(self.world.now_ms() + DELAY_AFTER_FAULTS_MAX_MS));
            connection.channel(direction).queue.push_back(segment);
            let Some(me) = self.me.upgrade() else { return };
            self.world.at(due_ms, tie(id, due_ms), move || me.arrive(id, direction));
        }
    }

    fn takes_ms(&self, network: NetworkProfile) -> u64 {
        u64::from(self.world.random(|rng| network.latency(rng)))
    }

    /// The first segment of a channel has arrived.
    fn arrive(&self, id: u64, direction: Direction) {
        let mut inner = lock(&self.inner);
        let Inner { connections, servers, .. } = &mut *inner;
        let Some(connection) = connections.get_mut(&id) else { return };
        let Some(segment) = connection.channel(direction).queue.pop_front() else { return };
        let (node, client) = (connection.node, connection.client);
        self.world
            .note(|| format!("#{id} {} n{node}: {segment}", if direction == Direction::ToNode { "->" } else { "<-" }));
        if direction == Direction::ToClient {
            connection.take_in(segment);
            return wake(inner, id);
        }
        let Some(server) = servers.get(usize::from(node)).cloned() else { return };
        let outputs = match segment {
            Segment::Bytes(bytes) => server.feed(client, &bytes),
            Segment::End | Segment::Reset => {
                server.disconnect(client);
                connection.to_node.over = true;
                forget_if_over(&mut inner, id);
                Vec::new()
            }
        };
        drop(inner);
        self.carry(node, outputs);
        (self.after_work)(node);
    }
}

impl Connection {
    fn new(process: &Arc<Process>, node: u8, client: ClientId) -> Self {
        Self {
            process: Arc::clone(process),
            node,
            client,
            to_node: ByteChannel::default(),
            to_client: ByteChannel::default(),
            mute: false,
            abandoned: false,
            incoming: VecDeque::new(),
            end: None,
            reader: None,
        }
    }

    const fn channel(&mut self, direction: Direction) -> &mut ByteChannel {
        match direction {
            Direction::ToClient => &mut self.to_client,
            Direction::ToNode | Direction::Both => &mut self.to_node,
        }
    }

    /// Something has arrived at the client.
    fn take_in(&mut self, segment: Segment) {
        if self.end.is_some() {
            return;
        }
        match segment {
            Segment::Bytes(bytes) => self.incoming.extend(bytes),
            Segment::End => self.end = Some(End::Closed),
            Segment::Reset => self.end = Some(End::Reset),
        }
    }
}

/// Wakes the task that reads from a connection, after the locks are dropped.
fn wake(mut inner: std::sync::MutexGuard<'_, Inner>, id: u64) {
    let ready = inner.connections.get_mut(&id).filter(|c| c.end.is_some() || !c.incoming.is_empty());
    let reader = ready.and_then(|connection| connection.reader.take());
    drop(inner);
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// Removes a connection that both ends have forgotten.
fn forget_if_over(inner: &mut Inner, id: u64) {
    if inner.connections.get(&id).is_some_and(|connection| connection.abandoned && connection.to_node.over) {
        inner.connections.remove(&id);
    }
}

/// The longest delay after the end of the faults.
const DELAY_AFTER_FAULTS_MAX_MS: u64 = 10;
/// The longest time that an old socket keeps bytes.
const LATE_MS_MAX: u32 = 2_000;
