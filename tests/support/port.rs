//! Loopback ports for the servers of tests, each given out once. A port that the system picked can be picked again as
//! soon as it is closed: for another test's server, or for the local end of an outgoing connection. Then a server
//! cannot start on it, or a client meets another server. So ports come from outside of the range that the system picks
//! from. Each process locks one file for each block of ports that it uses. The lock ends with the process.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub const PORTS_PER_BLOCK: u16 = 50;
/// Ports below may belong to services of the machine.
const LOWEST: u16 = 10_000;
/// A port of this machine on which no program listens refuses at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// The range from which Linux picks by default.
const USUAL_EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// A port that no other test on this machine gets while this process lives, and on which no program listens.
pub fn claim_port() -> u16 {
    static CLAIMS: Mutex<Claims> = Mutex::new(Claims { files: Vec::new(), unused: Vec::new(), next_block: LOWEST });
    // A poisoned mutex is fine: a test that panics here leaves the claims consistent.
    CLAIMS.lock().unwrap_or_else(PoisonError::into_inner).claim()
}

/// What this process has claimed.
struct Claims {
    /// Locked for as long as they are open.
    files: Vec<File>,
    unused: Vec<u16>,
    /// The first port of the block to try next.
    next_block: u16,
}

impl Claims {
    fn claim(&mut self) -> u16 {
        loop {
            while let Some(port) = self.unused.pop() {
                // A listener that tries the port would be inherited by a program that another thread starts at this moment,
                // and would keep the port until that program has begun.
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                if TcpStream::connect_timeout(&address, ANSWERS_WITHIN).is_err() {
                    return port;
                }
            }
            self.claim_block();
        }
    }

    fn claim_block(&mut self) {
        let ephemeral = ephemeral();
        loop {
            let first = self.next_block;
            let last = first.checked_add(PORTS_PER_BLOCK - 1).unwrap_or_else(|| {
                panic!("no port is left for a test's server: all outside of {ephemeral:?} are claimed by other tests")
            });
            self.next_block = last + 1;
            let is_outside = last < *ephemeral.start() || first > *ephemeral.end();
            if is_outside && let Some(file) = locked(first) {
                self.files.push(file);
                self.unused = (first..=last).rev().collect();
                return;
            }
        }
    }
}

/// The file of a block, if no other process has it. A file that another user made counts as taken.
fn locked(first: u16) -> Option<File> {
    let path = std::env::temp_dir().join(format!("redfence-test-ports-{first}"));
    // If this process has a private temporary directory, other processes do not see the claims, and the try to connect decides.
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// The ports that the system picks from when it is asked for any.
fn ephemeral() -> RangeInclusive<u16> {
    let read = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
    let bounds = read.and_then(|text| {
        let mut words = text.split_whitespace().map(str::parse);
        Some(words.next()?.ok()?..=words.next()?.ok()?)
    });
    // If the machine picks from nearly all ports, none are left: then a collision is possible, but unlikely.
    bounds.filter(|range: &RangeInclusive<u16>| range.end() - range.start() < 50_000).unwrap_or(USUAL_EPHEMERAL)
}
