//! [`FanOut`]: the plain way to do the same work, with only the redis crate.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use redfence::Entropy;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};

use super::terms::{PAUSE_MAX, TTL};
use crate::outcome::Outcome;

/// One multiplexed connection per node, one EVALSHA per node for a grant and for a release. It decides as soon as a
/// majority has answered, and reads the other answers in the background. It has no timeouts, no validity, no renewal,
/// no loss signal and no detailed errors, and it does not reconnect: this is the lowest cost of the work with this
/// driver.
#[derive(Clone)]
pub(crate) struct FanOut {
    connections: Arc<[MultiplexedConnection]>,
    grant: Script,
    release: Script,
    entropy: Arc<Entropy>,
}

/// A connection fails if an answer takes this long: longer than anything here takes.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

impl FanOut {
    pub(super) async fn connect(urls: &[String]) -> Outcome<Self> {
        let (grant, release) = (Script::new(include_str!("grant.lua")), Script::new(include_str!("release.lua")));
        let mut connections = Vec::new();
        for url in urls {
            let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(RESPONSE_TIMEOUT));
            let client = redis::Client::open(url.as_str())?;
            let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            for script in [&grant, &release] {
                script.load_async(&mut connection).await?;
            }
            connections.push(connection);
        }
        Ok(Self { connections: connections.into(), grant, release, entropy: Arc::new(Entropy::from_system()) })
    }

    /// Tries again after random pauses until a majority has granted; returns the holder.
    pub(super) async fn acquire(&self, resource: &str) -> String {
        let holder = format!("{:032x}", self.entropy.u128());
        while !self.fan_out(&self.grant, resource, &holder).await {
            self.release(resource, &holder).await;
            tokio::time::sleep(PAUSE_MAX.mul_f64(f64::from(self.entropy.u32()) / f64::from(u32::MAX))).await;
        }
        holder
    }

    pub(super) async fn release(&self, resource: &str, holder: &str) {
        self.fan_out(&self.release, resource, holder).await;
    }

    /// Calls `script` on all nodes; returns as soon as it is certain whether a majority answers a positive number.
    async fn fan_out(&self, script: &Script, resource: &str, holder: &str) -> bool {
        let call = |connection: &MultiplexedConnection| {
            let (mut connection, script) = (connection.clone(), script.clone());
            let (lock, counter) = (format!("raw:lock:{resource}"), format!("raw:token:{resource}"));
            let (holder, ttl_ms) = (holder.to_owned(), TTL.as_millis() as u64);
            async move {
                let call: RedisResult<i64> =
                    script.key(lock).key(counter).arg(holder).arg(ttl_ms).invoke_async(&mut connection).await;
                call
            }
        };
        let mut calls: FuturesUnordered<_> = self.connections.iter().map(call).collect();
        let needed = calls.len() / 2 + 1;
        let blocking = calls.len() - needed + 1;
        let (mut yes, mut no) = (0, 0);
        while yes < needed
            && no < blocking
            && let Some(answer) = calls.next().await
        {
            if answer.is_ok_and(|number| number > 0) { yes += 1 } else { no += 1 }
        }
        if !calls.is_empty() {
            tokio::spawn(async move { while calls.next().await.is_some() {} });
        }
        yes >= needed
    }
}
