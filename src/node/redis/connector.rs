//! [`Connector`]: dials a server and logs in.

use std::fmt;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo};
use tokio::time::timeout;

use super::byte_stream::ByteStream;
use super::detachable::Detachable;
use super::dial::{Dial, Stream};
use super::fault;
use super::options::RedisNodeOptions;
use crate::node::Task;
use crate::protocol::{Fault, FaultKind};

/// Where a server pushes messages such as wakes.
pub(super) enum Pushes {
    /// Between its replies: RESP3.
    Inline,
    /// Over a second connection: RESP2.
    Apart(ByteStream),
    /// Nowhere: the second connection could not be opened.
    None,
}

impl fmt::Debug for Pushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inline => "inline",
            Self::Apart(_) => "over a second connection",
            Self::None => "none",
        })
    }
}

/// The bound for the replies to a login, which take some hundred bytes.
const LOGIN_BYTES_MAX: usize = 64 * 1024;
/// The bound for all replies to the questions to one server, which take some ten thousand bytes.
const INQUIRY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is needed to dial a server and log in.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) login: RedisConnectionInfo,
    pub(super) options: RedisNodeOptions,
}

impl Connector {
    /// Dials and logs in, in bounded time. Uses RESP3 unless the server or the address wants RESP2. Also returns
    /// where the server pushes. The redis crate does the login; afterwards this module owns the streams.
    pub(super) async fn connect(&self) -> Result<(ByteStream, Pushes), Fault> {
        self.in_time(async {
            if self.login.protocol().supports_resp3() {
                match self.log_in(ProtocolVersion::RESP3).await {
                    // The server answered. It does not know HELLO, or does not permit it.
                    Err(fault) if !fault.kind.never_sent() => {}
                    pipe => return Ok((pipe?, Pushes::Inline)),
                }
            }
            let main = self.log_in(ProtocolVersion::RESP2).await?;
            let apart = self.log_in(ProtocolVersion::RESP2).await;
            Ok((main, apart.map_or(Pushes::None, Pushes::Apart)))
        })
        .await
    }

    async fn log_in(&self, protocol: ProtocolVersion) -> Result<ByteStream, Fault> {
        let stream = Detachable::of(self.dial().await?, LOGIN_BYTES_MAX);
        drop(self.logged_in(protocol, stream.clone()).await?);
        let lost = || Fault::new(FaultKind::Unreachable, "the connection was lost after the login");
        stream.take_back().map(ByteStream::over).ok_or_else(lost)
    }

    /// Opens a separate connection, for questions that are not requests.
    pub(super) async fn inquire(&self) -> Result<InquiryConnection, Fault> {
        let login = async {
            let stream = Detachable::of(self.dial().await?, INQUIRY_BYTES_MAX);
            let (handle, driver) = self.logged_in(ProtocolVersion::RESP2, stream).await?;
            Ok(InquiryConnection { handle, _driver: Task::start(&*self.options.spawner, driver) })
        };
        self.in_time(login).await
    }

    async fn dial(&self) -> Result<Box<dyn Stream>, Fault> {
        self.dial.dial().await.map_err(|error| Fault::new(FaultKind::Unreachable, fault::one_line(&error.to_string())))
    }

    async fn logged_in(
        &self,
        protocol: ProtocolVersion,
        stream: Detachable,
    ) -> Result<(MultiplexedConnection, BoxFuture<'static, ()>), Fault> {
        let login = self.login.clone().set_protocol(protocol);
        // The crate's own time limit would not cover this constructor; `in_time` covers it.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connected = MultiplexedConnection::new_with_config(&login, stream.clone(), config).await;
        let (hello, has_password) = (protocol.supports_resp3(), login.password().is_some());
        match (fault::of_login(connected.as_ref().err(), &stream.said(), hello, has_password), connected) {
            (None, Ok((handle, driver))) => Ok((handle, driver.boxed())),
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(fault::of_connection(&error)),
        }
    }

    async fn in_time<T>(&self, login: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let limit = self.options.dial_timeout;
        timeout(limit, login).await.unwrap_or_else(|_| {
            Err(Fault::new(FaultKind::Unreachable, format!("no connection and login within {limit:?}")))
        })
    }
}

/// A connection for questions, and the task that drives it. Dropping this ends the task.
pub(super) struct InquiryConnection {
    pub(super) handle: MultiplexedConnection,
    _driver: Task,
}
