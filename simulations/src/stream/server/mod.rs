//! A virtual Redis server: bytes in, bytes out, with the replies of version 7.0.
//!
//! ```text
//!   bytes ──▶ resp ──▶ core ──▶ command/* ──▶ store
//!                        ▲          │ EVAL
//!                        └── lua ◀──┘
//! ```
//!
//! One circle of imports is inherent: scripts call commands, and commands run scripts. It has everything that redfence
//! asks of a server: `tests/replies.rs` compares it byte for byte with a real one. It does not have replication,
//! transactions, ACLs, eviction, persistence (a crash says what is left), cjson and cmsgpack.

mod command;
mod core;
mod double;
mod lua;
mod lua_error;
mod lua_value;
mod output;
mod resp;
mod sorted_set;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use redfence::protocol::RunId;
use redfence::{Clock, Resource, WallTime};

use self::core::{Core, DATABASES};
pub use self::output::Output;
use self::store::{Keyspace, Value};

/// A server on a virtual machine. Clones are the same server.
#[derive(Clone)]
pub struct Server {
    machine: Arc<Mutex<Machine>>,
    clock: Arc<dyn Clock>,
}

/// The keys of a joined node, for the default prefix.
static COUNTERS: OnceLock<Vec<(u64, Bytes)>> = OnceLock::new();
const PREFIX: &str = "redfence";
const RECORD: &str = "redfence:node";

/// One connection, as the server counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(u64);

/// All that a server has in memory, as a snapshot on disk would have it.
#[derive(Clone)]
pub struct Snapshot(Vec<Keyspace>);

/// The data that a restarted server still has.
pub enum Memory {
    /// Everything: it wrote each change to disk.
    Kept,
    /// Nothing.
    Lost,
    /// The data of that moment.
    Restored(Snapshot),
}

struct Machine {
    core: Core,
    state: State,
    /// Bytes that came while the server hung.
    backlog: Vec<(ClientId, Input)>,
}

enum Input {
    Bytes(Vec<u8>),
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// The process is paused; its kernel goes on accepting connections and bytes.
    Hung,
    Down,
}

impl Server {
    /// A server that was started at `started` on its own clock and has been empty since.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, run_id: RunId, started: WallTime) -> Self {
        let core = Core {
            run_id: Some(run_id),
            started,
            clock: Some(Arc::clone(&clock)),
            databases: vec![Keyspace::default(); DATABASES],
            ..Core::default()
        };
        let machine = Machine { core, state: State::Up, backlog: Vec::new() };
        Self { machine: Arc::new(Mutex::new(machine)), clock }
    }

    /// From now on, connections have to give this password.
    pub fn require_password(&self, password: &str) {
        self.lock().core.password = Some(Bytes::copy_from_slice(password.as_bytes()));
    }

    /// From now on it reports that it logs every write.
    pub fn log_writes(&self) {
        self.lock().core.logs_writes = true;
    }

    /// From now on, `altered` runs when a client asks for `shipped`: a wrong server.
    pub fn alter(&self, shipped: &str, altered: &str) {
        let sha = lua::sha1(shipped.as_bytes());
        self.lock().core.altered.insert(sha, Bytes::copy_from_slice(altered.as_bytes()));
    }

    /// A new connection; none while the server is down.
    #[must_use]
    pub fn connect(&self) -> Option<ClientId> {
        let mut machine = self.lock();
        (machine.state != State::Down).then(|| ClientId(machine.core.connect()))
    }

    /// A connection has been closed by the other side.
    pub fn disconnect(&self, client: ClientId) {
        let mut machine = self.lock();
        match machine.state {
            State::Hung => machine.backlog.push((client, Input::End)),
            State::Up | State::Down => machine.core.disconnect(client.0),
        }
    }

    /// Whether it knows this connection: after a crash it does not.
    #[must_use]
    pub fn knows(&self, client: ClientId) -> bool {
        self.lock().core.clients.contains_key(&client.0)
    }

    /// Takes in bytes that have come over a connection; what the server does then, to this connection and to others.
    #[must_use]
    pub fn feed(&self, client: ClientId, bytes: &[u8]) -> Vec<(ClientId, Output)> {
        let mut machine = self.lock();
        match machine.state {
            State::Down => return Vec::new(),
            State::Hung => machine.backlog.push((client, Input::Bytes(bytes.to_vec()))),
            State::Up => machine.core.feed(client.0, bytes),
        }
        machine.take_output()
    }

    /// The process stops and answers nothing, as under SIGSTOP.
    pub fn hang(&self) {
        let mut machine = self.lock();
        if machine.state == State::Up {
            machine.state = State::Hung;
        }
    }

    /// It continues, and handles what came in between.
    #[must_use]
    pub fn go_on(&self) -> Vec<(ClientId, Output)> {
        let mut machine = self.lock();
        if machine.state != State::Hung {
            return Vec::new();
        }
        machine.state = State::Up;
        for (client, input) in std::mem::take(&mut machine.backlog) {
            match input {
                Input::Bytes(bytes) => machine.core.feed(client.0, &bytes),
                Input::End => machine.core.disconnect(client.0),
            }
        }
        machine.take_output()
    }

    /// The process ends at once. Every connection is gone, with all bytes on their way.
    pub fn crash(&self) {
        let mut machine = self.lock();
        machine.state = State::Down;
        machine.backlog.clear();
        machine.core.clients.clear();
        machine.core.channels.clear();
        machine.core.scripts.clear();
    }

    /// It starts again, as another run.
    pub fn start(&self, memory: Memory, run_id: RunId) {
        let started = self.clock.wall();
        let mut machine = self.lock();
        match memory {
            Memory::Kept => {}
            Memory::Lost => machine.core.databases.iter_mut().for_each(Keyspace::clear),
            Memory::Restored(Snapshot(databases)) => machine.core.databases = databases,
        }
        machine.state = State::Up;
        machine.core.run_id = Some(run_id);
        machine.core.started = started;
    }

    /// A snapshot of the current data.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.lock().core.databases.clone())
    }

    /// As if a locker had joined the node when it was new: a record of this run, awake, and all counters at the clock.
    /// The same as `join.lua` leaves behind, without running it.
    pub fn found(&self, max_ttl_ms: u64) {
        let now = self.clock.wall();
        let mut machine = self.lock();
        let run_id = machine.core.run_id.map(|run_id| run_id.to_string()).unwrap_or_default();
        let Some(keys) = machine.core.databases.first_mut() else { return };
        let counters = COUNTERS.get_or_init(|| {
            Keyspace::in_order((0..Resource::SLOTS).map(|slot| format!("{{{PREFIX}:{slot}}}:token").into()))
        });
        *keys = Keyspace::filled(counters, &Value::Text(now.unix_us().to_string().into()));
        let fields = [
            ("format", "1".to_owned()),
            ("run_id", run_id),
            ("ready_at_ms", now.unix_ms().to_string()),
            ("max_ttl_ms", max_ttl_ms.to_string()),
            ("awake", "1".to_owned()),
            ("new", "1".to_owned()),
        ];
        let fields = fields.into_iter().map(|(name, value)| (Bytes::from_static(name.as_bytes()), value.into()));
        keys.set(&Bytes::from_static(RECORD.as_bytes()), Value::Hash(fields.collect()), None);
    }

    /// What a key of the first database holds, if it is there and is a text. Not a request: nothing else changes.
    #[must_use]
    pub fn text(&self, key: &Bytes) -> Option<Bytes> {
        self.value(key, |value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// A field of a hash of the first database.
    #[must_use]
    pub fn field(&self, key: &Bytes, name: &str) -> Option<Bytes> {
        self.value(key, |value| match value {
            Value::Hash(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()),
            _ => None,
        })
    }

    fn value<T>(&self, key: &Bytes, look: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let now_ms = i64::try_from(self.clock.wall().unix_ms()).unwrap_or(i64::MAX);
        look(&self.lock().core.databases.first_mut()?.get(key, now_ms)?.value)
    }

    /// Runs one command of an operator on a new connection. Returns the bytes of the answer.
    pub fn execute(&self, words: &[&str]) -> Vec<u8> {
        let mut machine = self.lock();
        let client = machine.core.connect();
        if let Some(state) = machine.core.clients.get_mut(&client) {
            state.authenticated = true;
        }
        let mut request = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
        machine.core.feed(client, request.as_bytes());
        machine.core.disconnect(client);
        let mut answer = Vec::new();
        machine.core.outgoing.retain_mut(|(to, output)| match output {
            Output::Bytes(bytes) if *to == client => {
                answer.append(bytes);
                false
            }
            _ => true,
        });
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    fn take_output(&mut self) -> Vec<(ClientId, Output)> {
        self.core.outgoing.drain(..).map(|(client, output)| (ClientId(client), output)).collect()
    }
}
