//! Faults of the nodes of a [`NodeLevel`], and questions about the nodes.

use std::sync::Arc;

use redfence::node::Node;
use redfence::{HolderId, Resource};

use super::{DeferredReplies, Inner, NodeLevel, NodeProxy};
use crate::harness::cluster::{Cluster, ForeignCommand};
use crate::harness::link::Link;
use crate::harness::lock;
use crate::harness::process::Process;
use crate::harness::server::Server;
use crate::harness::world::tie;
use crate::invariant::Leftover;
use crate::plan::{Direction, Fault, Memory};

impl Cluster for NodeLevel {
    fn open(&self, process: &Arc<Process>) -> Vec<Arc<dyn Node>> {
        let Some(me) = self.me.upgrade() else { return Vec::new() };
        let mut inner = lock(&self.inner);
        let nodes = u8::try_from(inner.servers.len()).unwrap_or(u8::MAX);
        (0..nodes)
            .map(|node| {
                let link = inner.links.len();
                inner.links.push(Link::new(process, node));
                Arc::new(NodeProxy { level: Arc::clone(&me), link, node }) as Arc<dyn Node>
            })
            .collect()
    }

    fn died(&self, process: &Arc<Process>) {
        let mut inner = lock(&self.inner);
        let Inner { links, conditions, .. } = &mut *inner;
        let its = links.iter().enumerate().filter(|(_, link)| Arc::ptr_eq(&link.process, process));
        for (at, link) in its.filter(|(_, link)| link.open && !link.mute) {
            if conditions.partition(process.client, link.node, Direction::ToNode).is_none() {
                let ends_ms = self.arrival(link.last_request_ms, conditions.between(process.client, link.node));
                let Some(me) = self.me.upgrade() else { return };
                self.world.at(ends_ms, tie(at as u64, ends_ms), move || me.ended(at));
            }
        }
    }

    fn strike(&self, fault: &Fault) {
        match *fault {
            Fault::Lossy { for_ms, .. } | Fault::Slow { for_ms, .. } | Fault::Partition { for_ms, .. } => {
                let number = lock(&self.inner).conditions.begin(*fault);
                self.when(for_ms, move |me| {
                    let mut inner = lock(&me.inner);
                    inner.conditions.end(number);
                    me.let_go(&mut inner);
                });
            }
            Fault::Hang { node, for_ms } => self.hang(node, for_ms),
            Fault::Crash { node, down_ms, memory } => self.crash(node, down_ms, memory),
            Fault::Snapshot { node } => self.with_server(node, Server::keep_snapshot),
            Fault::Flush { node } => self.with_server(node, Server::flush),
            Fault::DropCounter { node, resource } => self.with_server(node, |server| server.drop_counter(resource)),
            Fault::Evict { node, resource } => self.with_server(node, |server| server.evict(resource)),
            Fault::Evicting { node, after_ms, for_ms } => {
                self.with_server(node, |server| server.evicts_after_ms = Some(after_ms));
                self.when(for_ms, move |me| me.with_server(node, |server| server.evicts_after_ms = None));
            }
            Fault::NodeClock { node, by_ms } => self.with_server(node, |server| server.step_clock(by_ms)),
            Fault::Pause { .. } | Fault::Reboot { .. } | Fault::ClientClock { .. } | Fault::SlowStore { .. } => {}
        }
        self.watch_memory();
        lock(&self.inner).servers.iter_mut().for_each(Server::draw);
    }

    fn end_faults(&self) {
        let mut inner = lock(&self.inner);
        inner.conditions.end_faults();
        self.let_go(&mut inner);
    }

    fn locks(&self) -> Vec<Leftover> {
        let mut inner = lock(&self.inner);
        let Inner { servers, belated, .. } = &mut *inner;
        let mut found = Vec::new();
        for (node, server) in (0..).zip(servers) {
            for holder in server.holders() {
                let id = holder.split(' ').next().and_then(|id| id.parse().ok());
                let excused = server.lingers || id.is_some_and(|id| belated.contains(&id));
                found.push(Leftover { node, holder, excused });
            }
        }
        found
    }

    fn reaches(&self, client: u8, node: u8) -> bool {
        let inner = lock(&self.inner);
        let is_cut = |direction| inner.conditions.partition(client, node, direction).is_some();
        let serves = inner.servers.get(usize::from(node)).is_some_and(|server| server.up && server.hung == 0);
        serves && !is_cut(Direction::ToNode) && !is_cut(Direction::ToClient)
    }

    fn foreign(&self, node: u8, resource: u8, value: &str, command: &ForeignCommand) -> Option<bool> {
        lock(&self.inner).servers.get_mut(usize::from(node))?.foreign(resource, value, command)
    }

    fn close(&self) {
        // Breaks a cycle of references: answers refer to lockers, and lockers refer to this level.
        let links = std::mem::take(&mut lock(&self.inner).links);
        drop(links);
    }

    fn began_ms(&self, holder: HolderId) -> Option<u64> {
        lock(&self.inner).began.get(&holder).copied()
    }
}

impl NodeLevel {
    /// A node ends, and with it the connections to it.
    fn crash(&self, node: u8, down_ms: u32, memory: Memory) {
        let mut deferred = DeferredReplies::default();
        {
            let mut inner = lock(&self.inner);
            let Inner { servers, links, .. } = &mut *inner;
            let Some(server) = servers.get_mut(usize::from(node)).filter(|server| server.up) else { return };
            server.end(memory);
            links.iter_mut().filter(|link| link.node == node).for_each(|link| deferred.hang_up(link));
            self.when(down_ms, move |me| {
                if let Some(server) = lock(&me.inner).servers.get_mut(usize::from(node)) {
                    server.start_again(memory);
                    server.draw();
                }
                me.watch_memory();
            });
        }
        deferred.finish(self);
    }

    /// A node notices that the connection of a dead process has ended.
    fn ended(&self, at: usize) {
        let mut inner = lock(&self.inner);
        let Inner { links, servers, .. } = &mut *inner;
        let Some(link) = links.get_mut(at) else { return };
        let Some(server) = servers.get_mut(usize::from(link.node)) else { return };
        std::mem::take(&mut link.subscribed).into_iter().for_each(|locker| server.disconnect(locker));
    }

    /// A lock that was just taken vanishes soon.
    pub(super) fn evict_after(&self, after_ms: u32, node: u8, resource: &Resource) {
        let resource = resource.clone();
        self.when(after_ms, move |me| me.with_server(node, |server| server.evict_lock(&resource)));
    }

    fn hang(&self, node: u8, for_ms: u32) {
        if let Some(server) = lock(&self.inner).servers.get_mut(usize::from(node)) {
            server.hung += 1;
        }
        self.when(for_ms, move |me| {
            let mut inner = lock(&me.inner);
            let Some(server) = inner.servers.get_mut(usize::from(node)) else { return };
            server.hung -= 1;
            if server.hung == 0 {
                let backlog = std::mem::take(&mut server.backlog);
                drop(inner);
                backlog.into_iter().for_each(|batch| me.arrived(batch));
            }
        });
    }

    /// Calls `event` when a fault has lasted long enough, at the end of all faults at the latest.
    fn when(&self, for_ms: u32, event: impl FnOnce(&Self) + Send + 'static) {
        let Some(me) = self.me.upgrade() else { return };
        let ends_ms = (self.world.now_ms() + u64::from(for_ms)).min(self.faults_end_ms);
        self.world.at(ends_ms, 0, move || event(&me));
    }

    fn watch_memory(&self) {
        let mut inner = lock(&self.inner);
        self.world.watch_memory(inner.servers.iter_mut().map(|server| (server.membership().0, server.flushed)));
    }

    fn with_server(&self, node: u8, act: impl FnOnce(&mut Server)) {
        lock(&self.inner).servers.get_mut(usize::from(node)).map(act);
    }
}
