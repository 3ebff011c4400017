//! [`Connector`]: how to come to a server and log in.

use std::fmt;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo};
use tokio::time::timeout;

use super::byte_stream::ByteStream;
use super::detachable::Detachable;
use super::dial::Stream;
use super::{Dial, RedisNodeOptions, fault};
use crate::node::Task;
use crate::protocol::{Fault, FaultKind};

/// Where a server tells what it was not asked for.
pub(super) enum Pushes {
    /// Between its answers: RESP3.
    Inline,
    /// Over a connection of its own: RESP2.
    Apart(ByteStream),
    /// Nowhere: a second connection was not to be had.
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

/// The answers to a login take some hundred bytes.
const LOGIN_BYTES_MAX: usize = 64 * 1024;
/// All that is asked of one server takes some ten thousand bytes.
const INQUIRY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How to come to a server.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) login: RedisConnectionInfo,
    pub(super) options: RedisNodeOptions,
}

impl Connector {
    /// Dials and logs in, in bounded time, with RESP3 unless the server or the address wants RESP2; tells where the server
    /// pushes. The redis crate logs in; the streams are ours from then on.
    pub(super) async fn connect(&self) -> Result<(ByteStream, Pushes), Fault> {
        self.in_time(async {
            if self.login.protocol().supports_resp3() {
                match self.log_in(ProtocolVersion::RESP3).await {
                    // It answered, and does not know HELLO or does not permit it.
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

    /// A connection of one's own, for questions that are no requests.
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
        // The crate's own bound would leave out this constructor, and is ours.
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

/// A connection for questions and the task that drives it, which ends with it.
pub(super) struct InquiryConnection {
    pub(super) handle: MultiplexedConnection,
    _driver: Task,
}
