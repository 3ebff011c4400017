//! [`Host`]: one server of a run, its clock, and a record of the assumptions of promises.

use std::sync::Arc;

use bytes::Bytes;
use redfence::node::redis::Prefix;
use redfence::{Clock as _, QueueEntry, Resource, Waiter, WallTime};

use super::server::{Memory, Server, Snapshot};
use crate::harness::{ForeignCommand, MachineClock, World, run_id};
use crate::history::Assumed;
use crate::plan::{self, Bootstrap, Terms};

/// One server and its host.
pub struct Host {
    number: u8,
    world: Arc<World>,
    /// The server itself.
    pub server: Server,
    clock: Arc<MachineClock>,
    /// The keys of each resource: its lock, its counter.
    keys: Vec<(Bytes, Bytes)>,
    /// The key of the node's record.
    record: Bytes,
    /// The counter of a slot without resources: it shows where counters started last.
    reference: Bytes,
    started_at: u64,
    pub(super) up: bool,
    pub(super) hung: u32,
    /// How long locks live while it has too little memory.
    pub(super) evicts_after_ms: Option<u32>,
    life: u32,
    snapshot: Option<Snapshot>,
    /// The greatest counter that it has ever had, for each resource.
    highest: Vec<u64>,
    /// The holder of each resource at the last look.
    occupants: Vec<Option<String>>,
    /// Holders whose locks it forgot.
    forgotten: Vec<String>,
    /// Whether it forgot everything without a restart, and no locker has joined it since.
    pub(super) flushed: bool,
    /// Its locks may live longer than they should: it was restored, or its clock was set back.
    pub(super) lingers: bool,
}

/// The uptime of a server that has been up for long.
const LONG_US: u64 = 86_400_000_000;

impl Host {
    /// A server of a plan.
    #[must_use]
    pub fn new(
        world: &Arc<World>,
        number: u8,
        clock: Arc<MachineClock>,
        (bootstrap, ahead, terms): (Bootstrap, u8, Terms),
        prefix: &Prefix,
        resources: &[Resource],
    ) -> Self {
        let now = clock.wall();
        let started = match bootstrap {
            Bootstrap::JustStarted => now,
            Bootstrap::Done | Bootstrap::LongUptime => WallTime::from_unix_us(now.unix_us().saturating_sub(LONG_US)),
        };
        let server = Server::new(Arc::<MachineClock>::clone(&clock), run_id(number, 0), started);
        if bootstrap == Bootstrap::Done {
            server.found(u64::from(terms.max_ttl_ms));
            for resource in resources.iter().filter(|_| ahead > 0) {
                server.execute(&["INCRBY", &prefix.counter(resource), &ahead.to_string()]);
            }
        }
        let unused = (0..Resource::SLOTS).find(|slot| resources.iter().all(|resource| resource.slot() != *slot));
        let reference = format!("{{{}:{}}}:token", prefix.as_str(), unused.unwrap_or_default());
        let key = |key: String| Bytes::from(key);
        let mut host = Self {
            number,
            world: Arc::clone(world),
            server,
            clock,
            keys: resources.iter().map(|r| (key(prefix.lock(r)), key(prefix.counter(r)))).collect(),
            record: key(prefix.record()),
            reference: key(reference),
            started_at: 0,
            up: true,
            hung: 0,
            evicts_after_ms: None,
            life: 0,
            snapshot: None,
            highest: vec![0; resources.len()],
            occupants: vec![None; resources.len()],
            forgotten: Vec::new(),
            flushed: false,
            lingers: false,
        };
        host.started_at = host.number_at(&host.reference.clone());
        host
    }

    /// Checks what a server has just done, and records if an assumption of a promise breaks. Returns the granted
    /// resources with their holders. Tokens need counters that do not go back. A lost counter starts at the later of
    /// two clocks. If both are behind the lost counter, no locker can notice.
    pub(super) fn look(&mut self) -> Vec<(u8, String)> {
        let start = self.number_at(&self.reference.clone());
        let started_anew = start != self.started_at && start > 0;
        let now_us = self.clock.wall().unix_us();
        self.started_at = start;
        if self.flushed && self.membership().0 {
            self.flushed = false;
        }
        let mut granted = Vec::new();
        for (number, at) in (0..).zip(0..self.keys.len()) {
            let Some((lock, counter)) = self.keys.get(at).cloned() else { continue };
            let (counter, occupant) = (self.number_at(&counter), self.text_at(&lock));
            if let Some(highest) = self.highest.get_mut(at) {
                // If a counter starts behind the node's own clock, the script is wrong, and promises still apply.
                if started_anew && start < *highest && start >= now_us {
                    self.world.void(Assumed::T, "a counter started anew, and both clocks were behind what was lost");
                }
                *highest = counter.max(*highest);
            }
            if let Some(known) = self.occupants.get_mut(at)
                && *known != occupant
            {
                granted.extend(occupant.clone().map(|holder| (number, holder)));
                *known = occupant;
            }
        }
        granted
    }

    /// For a new reservation: whether the waiter is connected, if the server had to check that, and whether the
    /// reservation is longer than the longest grace. A server that wakes no waiter keeps the entry in its queue.
    pub(super) fn reservation(&self, resource: &Resource, number_of: u8, entry: &str) -> (bool, bool) {
        let Some(waiter) = QueueEntry::parse(entry).map(|entry| entry.waiter()) else { return (true, false) };
        let queue = Prefix::default().queue(resource);
        let woke_none = number(&self.server.execute(&["ZRANK", &queue, entry])).is_some();
        let channel = format!("{}:wake:{}", Prefix::default().as_str(), waiter.locker);
        let listening = number(&self.server.execute(&["PUBSUB", "NUMSUB", &channel]));
        let lock = self.keys.get(usize::from(number_of)).map(|(lock, _)| String::from_utf8_lossy(lock).into_owned());
        // Negative if it never ends, or has ended.
        let left_ms = lock.and_then(|lock| number(&self.server.execute(&["PTTL", &lock])));
        let longest_ms = i64::try_from(Waiter::GRACE.1.as_millis()).unwrap_or(i64::MAX);
        let lasts = left_ms.is_some_and(|left_ms| left_ms == -1 || left_ms > longest_ms);
        (woke_none || listening.is_none_or(|count| count > 0), lasts)
    }

    /// A command of a client of another library.
    pub(super) fn foreign(&self, resource: u8, value: &str, command: &ForeignCommand) -> Option<bool> {
        let (lock, _) = self.keys.get(usize::from(resource)).filter(|_| self.up && self.hung == 0)?;
        let key = String::from_utf8_lossy(lock);
        match (*command, self.text_at(lock)) {
            (ForeignCommand::Take { .. }, Some(_)) => return Some(false),
            (ForeignCommand::Take { ttl_ms: Some(ttl_ms) }, None) => {
                self.server.execute(&["SET", &key, value, "NX", "PX", &ttl_ms.to_string()]);
            }
            (ForeignCommand::Take { ttl_ms: None }, None) => drop(self.server.execute(&["SET", &key, value, "NX"])),
            (ForeignCommand::Leave, Some(held)) if held == value => self.delete(lock),
            (ForeignCommand::Leave, _) => {}
        }
        Some(true)
    }

    /// The holders of the locks that it has.
    pub(super) fn holders(&self) -> Vec<String> {
        self.keys.iter().filter_map(|(lock, _)| self.text_at(lock)).collect()
    }

    /// What the lock of a resource holds.
    pub(super) fn holder_of(&self, resource: usize) -> Option<String> {
        self.keys.get(resource).and_then(|(lock, _)| self.text_at(lock))
    }

    /// Whether a locker has joined it, and whether it is awake.
    pub(super) fn membership(&self) -> (bool, bool) {
        let awake = self.server.field(&self.record, "awake");
        (awake.is_some(), awake.is_some_and(|awake| awake == "1"))
    }

    pub(super) fn keep_snapshot(&mut self) {
        self.snapshot = Some(self.server.snapshot());
    }

    pub(super) fn flush(&mut self) {
        self.forgotten.extend(self.holders());
        self.flushed = true;
        self.server.execute(&["FLUSHALL"]);
    }

    pub(super) fn drop_counter(&self, resource: u8) {
        if let Some((_, counter)) = self.keys.get(usize::from(resource)) {
            self.delete(counter);
        }
    }

    pub(super) fn evict(&self, resource: u8) {
        let Some((lock, _)) = self.keys.get(usize::from(resource)) else { return };
        if let Some(holder) = self.text_at(lock) {
            self.delete(lock);
            self.world.vanished(self.number, holder);
        }
    }

    /// A step forward ends locks early. It also ends rests early, so that the node does not wait for forgotten locks.
    pub(super) fn step_clock(&mut self, by_ms: i32) {
        let (_, awake) = self.membership();
        let mut ended = self.holders();
        if !awake {
            ended.append(&mut self.forgotten);
        }
        self.clock.step(by_ms);
        match by_ms {
            ..0 => self.lingers = true,
            _ => ended.into_iter().for_each(|holder| self.world.vanished(self.number, holder)),
        }
    }

    pub(super) fn crash(&mut self, memory: plan::Memory) {
        if memory != plan::Memory::Kept {
            self.forgotten.extend(self.holders());
        }
        self.up = false;
        self.life += 1;
        self.server.crash();
    }

    pub(super) fn start_again(&mut self, memory: plan::Memory) {
        let memory = match (memory, &self.snapshot) {
            (plan::Memory::Kept, _) => Memory::Kept,
            (plan::Memory::Snapshot, Some(snapshot)) => {
                self.lingers = true;
                Memory::Restored(snapshot.clone())
            }
            (plan::Memory::Lost | plan::Memory::Snapshot, _) => {
                self.flushed = false;
                Memory::Lost
            }
        };
        self.server.start(memory, run_id(self.number, self.life));
        self.up = true;
        if self.hung > 0 {
            self.server.hang();
        }
        // A counter from a snapshot did not start again.
        self.started_at = self.number_at(&self.reference.clone());
    }

    fn delete(&self, key: &Bytes) {
        self.server.execute(&["DEL", &String::from_utf8_lossy(key)]);
    }

    fn text_at(&self, key: &Bytes) -> Option<String> {
        self.server.text(key).map(|text| String::from_utf8_lossy(&text).into_owned())
    }

    fn number_at(&self, key: &Bytes) -> u64 {
        self.server.text(key).and_then(|text| str::from_utf8(&text).ok()?.parse().ok()).unwrap_or(0)
    }
}

/// The number at the end of a reply.
fn number(reply: &[u8]) -> Option<i64> {
    str::from_utf8(reply).ok()?.trim_end().rsplit(':').next()?.parse().ok()
}
