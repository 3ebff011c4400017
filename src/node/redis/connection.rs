//! [`Route`]: how to come to a server; [`Connection`]: one that stands.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use tokio::time::timeout;

use super::{Dial, RedisNodeOptions, fault};
use crate::node::Task;
use crate::protocol::{Fault, FaultKind};

/// How to come to a server.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) login: RedisConnectionInfo,
    pub(super) options: RedisNodeOptions,
}

impl Route {
    /// Dials and logs in, in bounded time.
    pub(super) async fn connect(&self) -> Result<Connection, Fault> {
        // The crate's own bound would leave out this constructor, and its response time-out would free a place in the
        // pipeline whose request is still on the way.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let dialling = async {
            let stream =
                self.dial.dial().await.map_err(|error| Fault::new(FaultKind::Unreachable, error.to_string()))?;
            MultiplexedConnection::new_with_config(&self.login, stream, config).await.map_err(|error| {
                match fault::of_connection(&error) {
                    Fault { kind: FaultKind::ConnectionLost, detail } => Fault { kind: FaultKind::Unreachable, detail },
                    fault => fault,
                }
            })
        };
        let limit = self.options.dial_timeout;
        let (handle, driver) = timeout(limit, dialling).await.unwrap_or_else(|_| {
            Err(Fault::new(FaultKind::Unreachable, format!("no connection and login within {limit:?}")))
        })?;
        Ok(Connection { handle, driver: Task::start(&*self.options.spawner, driver) })
    }
}

/// A connection and the task that drives it, which ends with it.
pub(super) struct Connection {
    pub(super) handle: MultiplexedConnection,
    pub(super) driver: Task,
}
