//! Opens the byte stream to a server: TCP, TLS or a Unix socket.

use std::io;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::address::Endpoint;

/// A connected byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Opens byte streams to one server. A simulation brings its own.
pub trait Dial: Send + Sync + 'static {
    /// Opens one stream. The caller bounds the time.
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;
}

/// Dials the network.
pub(super) struct Network {
    endpoint: Endpoint,
    #[cfg(feature = "tls")]
    tls: super::tls::Trust,
}

impl Network {
    pub(super) const fn new(endpoint: Endpoint, #[cfg(feature = "tls")] tls: super::tls::Trust) -> Self {
        Self {
            endpoint,
            #[cfg(feature = "tls")]
            tls,
        }
    }
}

impl Dial for Network {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            Ok(match &self.endpoint {
                Endpoint::Tcp { host, port } => Box::new(tcp(host, *port).await?) as Box<dyn Stream>,
                #[cfg(feature = "tls")]
                Endpoint::Tls { host, port } => Box::new(self.tls.handshake(host, tcp(host, *port).await?).await?),
                #[cfg(not(feature = "tls"))]
                Endpoint::Tls { .. } => return Err(io::Error::other("this build has no TLS")),
                #[cfg(unix)]
                Endpoint::Unix(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
                #[cfg(not(unix))]
                Endpoint::Unix(_) => return Err(io::Error::other("this system has no Unix sockets")),
            })
        })
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    // A lock is a conversation of single small packets: waiting to fill one costs a round trip.
    stream.set_nodelay(true)?;
    Ok(stream)
}
