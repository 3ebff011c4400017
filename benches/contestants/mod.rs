//! The contestants: the same work, done by redfence and by hand.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use redfence::{Redlock, ReleaseOutcome};
use redis::Script;
use redis::aio::MultiplexedConnection;

/// Somebody who can acquire and release.
pub(crate) trait Contestant: Clone + Send + Sync + 'static {
    /// One pair.
    fn acquire_and_release(&self, resource: &str) -> impl Future<Output = ()> + Send;
}

/// The library.
#[derive(Clone)]
pub(crate) struct Redfence(Redlock);

impl Redfence {
    pub(crate) async fn connect(urls: &[String]) -> Self {
        Self(Redlock::connect(urls).await.unwrap())
    }
}

impl Contestant for Redfence {
    async fn acquire_and_release(&self, resource: &str) {
        let guard = self.0.try_acquire(resource).await.unwrap();
        assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    }
}

/// The plain way to do the same work: a multiplexed connection a node, one EVALSHA a node for each of grant and release,
/// return at the quorum, leftovers drained in the background. No time-outs, no validity, no errors told apart.
#[derive(Clone)]
pub(crate) struct RawFanOut {
    connections: Arc<[MultiplexedConnection]>,
    grant: Script,
    release: Script,
}

impl RawFanOut {
    pub(crate) async fn connect(urls: &[String]) -> Self {
        let mut connections = Vec::new();
        for url in urls {
            let client = redis::Client::open(url.as_str()).unwrap();
            let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
            connections.push(client.get_multiplexed_async_connection_with_config(&config).await.unwrap());
        }
        Self {
            connections: connections.into(),
            grant: Script::new(include_str!("grant.lua")),
            release: Script::new(include_str!("release.lua")),
        }
    }

    /// Calls `script` on all nodes; returns when a majority has answered a positive number.
    async fn fan_out(&self, script: &Script, key: &str, holder: &str) {
        let mut calls: FuturesUnordered<_> = self
            .connections
            .iter()
            .map(|connection| {
                let (mut connection, script) = (connection.clone(), script.clone());
                let (lock, counter) = (format!("raw:lock:{key}"), format!("raw:token:{key}"));
                let holder = holder.to_owned();
                async move {
                    let call: Result<i64, _> =
                        script.key(lock).key(counter).arg(holder).arg(10_000).invoke_async(&mut connection).await;
                    call
                }
            })
            .collect();
        let mut votes = 0;
        // A release that overtook its grant left a lock behind: then there is no majority, and the work goes on.
        while votes <= self.connections.len() / 2
            && let Some(answer) = calls.next().await
        {
            votes += usize::from(answer.unwrap() > 0);
        }
        if !calls.is_empty() {
            tokio::spawn(async move { while calls.next().await.is_some() {} });
        }
    }
}

impl Contestant for RawFanOut {
    async fn acquire_and_release(&self, resource: &str) {
        let holder = format!("{:032x}", rand::Rng::next_u64(&mut rand::rng()));
        self.fan_out(&self.grant, resource, &holder).await;
        self.fan_out(&self.release, resource, &holder).await;
    }
}
