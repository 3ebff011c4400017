//! [`Route`]: how to come to a server and log in.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo};
use tokio::time::timeout;

use super::dial::Stream;
use super::loan::Loan;
use super::{Dial, RedisNodeOptions, fault};
use crate::node::Task;
use crate::protocol::{Fault, FaultKind};

/// Whether a server tells what it was not asked for: RESP3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushes {
    Yes,
    No,
}

/// How to come to a server.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) login: RedisConnectionInfo,
    pub(super) options: RedisNodeOptions,
}

impl Route {
    /// Dials and logs in, in bounded time; tells whether the server pushes. The redis crate logs in; the stream is ours from
    /// then on.
    pub(super) async fn connect(&self) -> Result<(Box<dyn Stream>, Pushes), Fault> {
        // Where it is to be had, a release is told over the same connection to those who wait for it.
        match self.log_in(ProtocolVersion::RESP3).await {
            Err(fault) if !fault.kind.never_sent() => Ok((self.log_in(ProtocolVersion::RESP2).await?, Pushes::No)),
            stream => Ok((stream?, Pushes::Yes)),
        }
    }

    async fn log_in(&self, protocol: ProtocolVersion) -> Result<Box<dyn Stream>, Fault> {
        self.in_time(async {
            let loan = Loan::of(self.dial().await?);
            drop(logged_in(&self.login.clone().set_protocol(protocol), loan.clone()).await?);
            loan.take_back()
                .ok_or_else(|| Fault::new(FaultKind::Unreachable, "the connection was lost after the login"))
        })
        .await
    }

    /// A connection of one's own, for questions that are no requests.
    pub(super) async fn inquire(&self) -> Result<Connection, Fault> {
        let login = async {
            let (handle, driver) = logged_in(&self.login, self.dial().await?).await?;
            Ok(Connection { handle, _driver: Task::start(&*self.options.spawner, driver) })
        };
        self.in_time(login).await
    }

    async fn dial(&self) -> Result<Box<dyn Stream>, Fault> {
        self.dial.dial().await.map_err(|error| Fault::new(FaultKind::Unreachable, error.to_string()))
    }

    async fn in_time<T>(&self, login: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let limit = self.options.dial_timeout;
        timeout(limit, login).await.unwrap_or_else(|_| {
            Err(Fault::new(FaultKind::Unreachable, format!("no connection and login within {limit:?}")))
        })
    }
}

async fn logged_in<S>(
    login: &RedisConnectionInfo,
    stream: S,
) -> Result<(MultiplexedConnection, BoxFuture<'static, ()>), Fault>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    // The crate's own bound would leave out this constructor, and is ours.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let connected = MultiplexedConnection::new_with_config(login, stream, config).await;
    connected.map(|(handle, driver)| (handle, driver.boxed())).map_err(|error| match fault::of_connection(&error) {
        Fault { kind: FaultKind::ConnectionLost, detail } => Fault { kind: FaultKind::Unreachable, detail },
        fault => fault,
    })
}

/// A connection for questions and the task that drives it, which ends with it.
pub(super) struct Connection {
    pub(super) handle: MultiplexedConnection,
    _driver: Task,
}
