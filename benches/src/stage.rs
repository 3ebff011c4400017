//! [`Stage`]: the servers of one workload.

use crate::support::{RedisServer, servers};

/// Servers on loopback that keep nothing on disk, of which one may have fallen silent.
pub(crate) struct Stage {
    servers: Vec<RedisServer>,
    silent: bool,
}

impl Stage {
    /// So many servers, all well.
    pub(crate) fn of(count: usize) -> Self {
        Self { servers: servers(count), silent: false }
    }

    /// Where they are.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.servers.iter().map(RedisServer::url).collect()
    }

    /// Stops the first one: its connections stay open, and nothing is answered.
    pub(crate) fn hang(&mut self) {
        if let Some(first) = self.servers.first() {
            first.pause();
            self.silent = true;
        }
    }

    /// Ends the first one.
    pub(crate) fn kill(&mut self) {
        if let Some(first) = self.servers.first_mut() {
            first.kill();
            self.silent = true;
        }
    }

    /// Those that answer. A silent one spends no CPU and serves no command.
    pub(crate) fn speaking(&self) -> &[RedisServer] {
        self.servers.get(usize::from(self.silent)..).unwrap_or_default()
    }
}
