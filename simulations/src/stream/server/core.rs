//! [`Core`]: the state of a server, and how it handles a request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use redfence::protocol::RunId;
use redfence::{Clock, WallTime};

use super::command::{self, Command};
use super::output::Output;
use super::resp::{self, Parsed, Protocol, Reply};
use super::store::Keyspace;

/// How many databases a server has.
pub(super) const DATABASES: usize = 16;

/// The state of a server. It is moved as a whole while a script runs, so it has an empty form.
#[derive(Default)]
pub(super) struct Core {
    pub(super) run_id: Option<RunId>,
    pub(super) started: WallTime,
    /// The wall clock; it does not change while a request is handled.
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) now: WallTime,
    pub(super) databases: Vec<Keyspace>,
    /// By their SHA-1.
    pub(super) scripts: BTreeMap<String, Bytes>,
    /// Scripts that run instead of others, by the SHA-1 of the replaced script: for mutants.
    pub(super) altered: BTreeMap<String, Bytes>,
    pub(super) clients: BTreeMap<u64, Client>,
    pub(super) clients_ever: u64,
    /// The connections that listen on each channel.
    pub(super) channels: BTreeMap<Bytes, BTreeSet<u64>>,
    pub(super) password: Option<Bytes>,
    /// Whether it reports that it logs every write before it answers.
    pub(super) logs_writes: bool,
    /// What has to be sent to which connection, in order.
    pub(super) outgoing: Vec<(u64, Output)>,
}

/// One connection.
#[derive(Default)]
pub(super) struct Client {
    pub(super) input: BytesMut,
    pub(super) protocol: Protocol,
    pub(super) database: usize,
    pub(super) authenticated: bool,
    pub(super) name: Bytes,
    pub(super) channels: BTreeSet<Bytes>,
}

impl Core {
    pub(super) fn connect(&mut self) -> u64 {
        self.clients_ever += 1;
        let authenticated = self.password.is_none();
        self.clients.insert(self.clients_ever, Client { authenticated, ..Client::default() });
        self.clients_ever
    }

    pub(super) fn disconnect(&mut self, client: u64) {
        self.clients.remove(&client);
        self.channels.retain(|_, listeners| {
            listeners.remove(&client);
            !listeners.is_empty()
        });
    }

    /// Takes in bytes of one connection, and handles every complete request.
    pub(super) fn feed(&mut self, client: u64, bytes: &[u8]) {
        let Some(state) = self.clients.get_mut(&client) else { return };
        state.input.extend_from_slice(bytes);
        loop {
            let Some(state) = self.clients.get_mut(&client) else { return };
            match resp::parse(&mut state.input) {
                Parsed::Incomplete => return,
                Parsed::Request(words) if words.is_empty() => {}
                Parsed::Request(words) => {
                    self.now = self.clock.as_ref().map(|clock| clock.wall()).unwrap_or_default();
                    let reply = self.process(client, &words);
                    self.send(client, &reply);
                }
                Parsed::Broken(what) => {
                    self.send(client, &Reply::error(what));
                    self.outgoing.push((client, Output::HangUp));
                    return self.disconnect(client);
                }
            }
        }
    }

    /// One request from outside.
    fn process(&mut self, client: u64, words: &[Bytes]) -> Reply {
        let command = match command::find(words) {
            Ok(command) => command,
            Err(error) => return error,
        };
        let Some(state) = self.clients.get(&client) else { return Reply::Null };
        if !state.authenticated && !command.before_login {
            return Reply::error("NOAUTH Authentication required.");
        }
        if state.protocol == Protocol::Two && !state.channels.is_empty() && !command.while_subscribed {
            return Reply::error(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
                command.name
            ));
        }
        self.run(client, command, words)
    }

    /// Runs a command that is allowed to run.
    pub(super) fn run(&mut self, client: u64, command: &Command, words: &[Bytes]) -> Reply {
        (command.run)(&mut Call { core: self, client, words }).unwrap_or_else(|error| error)
    }

    /// Queues `reply` for one connection, in its protocol.
    pub(super) fn send(&mut self, client: u64, reply: &Reply) {
        let Some(state) = self.clients.get(&client) else { return };
        let protocol = state.protocol;
        match self.outgoing.last_mut() {
            Some((last, Output::Bytes(bytes))) if *last == client => reply.encode(protocol, bytes),
            _ => {
                let mut bytes = Vec::new();
                reply.encode(protocol, &mut bytes);
                self.outgoing.push((client, Output::Bytes(bytes)));
            }
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.now.unix_ms()).unwrap_or(i64::MAX)
    }
}

/// The input of a command: the server, the caller, and the words of the request.
pub(super) struct Call<'a> {
    pub(super) core: &'a mut Core,
    pub(super) client: u64,
    pub(super) words: &'a [Bytes],
}

impl<'a> Call<'a> {
    /// The database that the connection has selected, and the time.
    pub(super) fn keys(&mut self) -> Result<(&mut Keyspace, i64), Reply> {
        let now_ms = self.core.now_ms();
        let database = self.core.clients.get(&self.client).map_or(0, |client| client.database);
        let keys = self.core.databases.get_mut(database);
        keys.map(|keys| (keys, now_ms)).ok_or_else(|| Reply::error("ERR DB index is out of range"))
    }

    /// The connection that asks.
    pub(super) fn caller(&mut self) -> Result<&mut Client, Reply> {
        self.core.clients.get_mut(&self.client).ok_or(Reply::Null)
    }

    /// The word at `at`, which the command's arity promises.
    pub(super) fn word(&self, at: usize) -> Result<&'a Bytes, Reply> {
        self.words.get(at).ok_or_else(|| Reply::error("ERR syntax error"))
    }

    /// The number at `at`.
    pub(super) fn number(&self, at: usize) -> Result<i64, Reply> {
        resp::integer(self.word(at)?).ok_or_else(|| Reply::error(NOT_AN_INTEGER))
    }

    /// The word at `at` in capitals, to be compared with options.
    pub(super) fn option(&self, at: usize) -> Option<String> {
        self.words.get(at).map(|word| String::from_utf8_lossy(word).to_ascii_uppercase())
    }
}

pub(super) const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
pub(super) const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
