//! [`Reading`]: the costs so far, of this process and of the servers.

use std::time::Duration;

use redfence::{Clock as _, Moment, SystemClock};

use crate::contestants::Contestant;
use crate::outcome::Outcome;
use crate::stage::Stage;
use crate::support::RedisServer;

/// The costs so far. Only differences mean anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    at: Moment,
    client: Duration,
    servers: Duration,
    commands: u64,
    sets: u64,
    expiries: u64,
}

/// The difference of two readings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) time: Duration,
    /// CPU of this process.
    pub(crate) client: Duration,
    /// CPU of all servers that answer.
    pub(crate) servers: Duration,
    /// Commands that clients sent, except SET; calls inside scripts are not counted.
    pub(crate) commands: u64,
    /// SET, by clients and by scripts.
    pub(crate) sets: u64,
    /// How often the TTL of a lock was set again: once per renewal and node.
    pub(crate) expiries: u64,
}

impl Reading {
    /// Reads the clocks and asks the servers.
    pub(crate) fn take(stage: &Stage) -> Outcome<Self> {
        let mut reading = Self {
            at: SystemClock.now(),
            client: cpu_time(),
            servers: Duration::ZERO,
            commands: 0,
            sets: 0,
            expiries: 0,
        };
        for server in stage.speaking() {
            let Served { cpu, commands, sets, expiries } = Served::by(server)?;
            reading.servers += cpu;
            reading.commands += commands;
            reading.sets += sets;
            reading.expiries += expiries;
        }
        Ok(reading)
    }

    /// The costs since `earlier`.
    pub(crate) fn spent(self, stage: &Stage) -> Outcome<Spent> {
        let now = Self::take(stage)?;
        Ok(Spent {
            time: now.at.since(self.at),
            client: now.client.saturating_sub(self.client),
            servers: now.servers.saturating_sub(self.servers),
            commands: now.commands.saturating_sub(self.commands),
            sets: now.sets.saturating_sub(self.sets),
            expiries: now.expiries.saturating_sub(self.expiries),
        })
    }
}

impl Spent {
    /// The commands that `contestant` sent. Servers also count the SET of scripts, so SET counts only for a contestant
    /// that sends it without a script.
    pub(crate) fn commands_of(&self, contestant: Contestant) -> u64 {
        self.commands + if contestant == Contestant::Rslock { self.sets } else { 0 }
    }
}

/// User and system time of this process so far; the servers are processes of their own.
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The resident memory of this process, in bytes.
pub(crate) fn resident_bytes() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("memory is read from /proc/self/status, which only Linux has: {error}"))?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    kib.map(|kib: u64| kib * 1024).ok_or_else(|| "/proc/self/status has no VmRSS".into())
}

/// What one server has done so far.
#[derive(Debug, Default, PartialEq)]
struct Served {
    cpu: Duration,
    commands: u64,
    sets: u64,
    expiries: u64,
}

impl Served {
    fn by(server: &RedisServer) -> Outcome<Self> {
        // Two commands, because Redis 6.2 takes one section per call.
        Self::from_info(&server.command(&["INFO", "cpu"]), &server.command(&["INFO", "commandstats"]))
    }

    fn from_info(cpu: &str, commands: &str) -> Outcome<Self> {
        let seconds = |name: &str| -> Outcome<Duration> {
            let value = cpu.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let value = value.ok_or_else(|| format!("INFO cpu has no {name}"))?;
            Ok(Duration::try_from_secs_f64(value.trim().parse()?)?)
        };
        let mut served = Self { cpu: seconds("used_cpu_sys")? + seconds("used_cpu_user")?, ..Self::default() };
        for line in commands.lines() {
            let Some((name, rest)) = line.strip_prefix("cmdstat_").and_then(|line| line.split_once(":calls=")) else {
                continue;
            };
            let calls: u64 = rest.split(',').next().unwrap_or_default().parse()?;
            if is_sent_by_clients(name) {
                served.commands += calls;
            }
            match name {
                "set" => served.sets += calls,
                "pexpire" => served.expiries += calls,
                _ => {}
            }
        }
        Ok(served)
    }
}

/// Commands that no script calls: servers also count the calls of scripts.
fn is_sent_by_clients(name: &str) -> bool {
    const SENT: &[&str] =
        &["eval", "evalsha", "subscribe", "unsubscribe", "ssubscribe", "sunsubscribe", "hello", "auth"];
    const FAMILIES: &[&str] = &["script|", "client|"];
    SENT.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_tells_its_cpu_and_what_clients_sent() {
        let cpu = "# CPU\r\nused_cpu_sys:1.500000\r\nused_cpu_user:0.250000\r\nused_cpu_sys_children:9.0\r\n";
        let commands = "# Commandstats\r\n\
            cmdstat_evalsha:calls=12,usec=100,usec_per_call=8.33\r\n\
            cmdstat_script|load:calls=2,usec=1,usec_per_call=0.50\r\n\
            cmdstat_set:calls=900,usec=1,usec_per_call=0.50\r\n\
            cmdstat_pexpire:calls=7,usec=1,usec_per_call=0.50\r\n";
        let served = Served::from_info(cpu, commands).unwrap();
        assert_eq!(served, Served { cpu: Duration::from_millis(1_750), commands: 14, sets: 900, expiries: 7 });
        assert!(Served::from_info("", commands).is_err());
    }

    #[test]
    fn this_process_has_used_memory_and_time() {
        assert!(resident_bytes().unwrap() > 100_000);
        assert!(cpu_time() > Duration::ZERO);
    }
}
