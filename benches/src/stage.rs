//! [`Stage`]: the servers of one workload.

use std::time::Duration;

use redfence::node::redis::Prefix;
use redfence::{Clock as _, Holder, Moment, Resource, SystemClock};

use crate::outcome::Outcome;
use crate::support::{RedisServer, servers};

/// The most connections that a process of any contestant opens to a server.
const CONNECTIONS_A_PROCESS: usize = 8;

/// Servers on loopback that keep nothing on disk. One of them may be stopped.
pub(crate) struct Stage {
    servers: Vec<RedisServer>,
    silent: Option<usize>,
}

impl Stage {
    /// `count` servers, all up.
    pub(crate) fn of(count: usize) -> Self {
        Self { servers: servers(count), silent: None }
    }

    /// The same, with room for the connections of `processes` processes.
    pub(crate) fn for_herd(count: usize, processes: usize) -> Outcome<Self> {
        let stage = Self::of(count);
        let needed = processes * CONNECTIONS_A_PROCESS;
        for server in &stage.servers {
            let setting = server.command(&["CONFIG", "GET", "maxclients"]);
            let room: usize = setting.lines().last().unwrap_or_default().parse()?;
            if room < needed {
                return Err(
                    format!("servers have maxclients {room}, and {needed} may be needed: raise ulimit -n").into()
                );
            }
        }
        Ok(stage)
    }

    /// Their addresses.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.servers.iter().map(RedisServer::url).collect()
    }

    /// All of them, also one that is silent.
    pub(crate) fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The first node of the resource's slot.
    pub(crate) fn first_of(&self, resource: &str) -> Outcome<usize> {
        Ok(usize::from(Resource::new(resource)?.slot()) % self.servers.len().max(1))
    }

    /// Stops one of them: its connections stay open, and nothing is answered.
    pub(crate) fn hang(&mut self, index: usize) {
        if let Some(server) = self.servers.get(index) {
            server.pause();
            self.silent = Some(index);
        }
    }

    /// Ends one of them.
    pub(crate) fn kill(&mut self, index: usize) {
        if let Some(server) = self.servers.get_mut(index) {
            server.kill();
            self.silent = Some(index);
        }
    }

    /// The servers that answer. A stopped one uses no CPU and serves no command.
    pub(crate) fn speaking(&self) -> impl Iterator<Item = &RedisServer> {
        self.servers.iter().enumerate().filter(|(index, _)| self.silent != Some(*index)).map(|(_, server)| server)
    }

    /// The processes with a lock of `resource` on any node: redfence's label of a holder ends with the process id.
    pub(crate) fn holders(&self, resource: &str) -> Outcome<Vec<u32>> {
        let key = Prefix::default().lock(&Resource::new(resource)?);
        let holder = |server: &RedisServer| process_of(&server.command(&["GET", &key]));
        Ok(self.speaking().filter_map(holder).collect())
    }

    /// When enough locks of `resource` will have expired for another holder, unless they are renewed.
    pub(crate) fn free_at(&self, resource: &str) -> Outcome<Moment> {
        let key = Prefix::default().lock(&Resource::new(resource)?);
        let mut ends = Vec::new();
        for server in self.speaking() {
            let left: i64 = server.command(&["PTTL", &key]).parse()?;
            // A negative answer: there is no lock.
            ends.push(SystemClock.now().after(Duration::from_millis(u64::try_from(left).unwrap_or_default())));
        }
        ends.sort_unstable();
        Ok(*ends.get(self.servers.len() / 2).ok_or("a majority of the servers is silent")?)
    }
}

fn process_of(value: &str) -> Option<u32> {
    let holder: Holder = value.parse().ok()?;
    holder.label().as_str().rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_tells_the_process_of_its_holder() {
        assert_eq!(process_of("0123456789abcdef0123456789abcdef db-7:4711"), Some(4_711));
        for other in ["(nil)", "0123456789abcdef0123456789abcdef me", ""] {
            assert_eq!(process_of(other), None, "{other:?}");
        }
    }
}
