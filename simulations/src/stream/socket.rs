//! [`Road`]: how a process dials a server over the wire; [`Socket`]: its end of a connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use redfence::node::redis::{Dial, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::byte_network::{End, Found, Wire};
use crate::harness::Process;

/// How one process comes to one server.
pub struct Road {
    /// The network.
    pub wire: Arc<Wire>,
    /// Who dials.
    pub process: Arc<Process>,
    /// Which server.
    pub node: u8,
}

impl Dial for Road {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let Some(takes_ms) = self.wire.round_trip_ms(&self.process, self.node) else {
                // No answer ever comes; the caller bounds the time.
                return std::future::pending().await;
            };
            tokio::time::sleep(Duration::from_millis(takes_ms)).await;
            match self.wire.connect(&self.process, self.node) {
                Some(connection) => {
                    Ok(Box::new(Socket { wire: Arc::clone(&self.wire), connection }) as Box<dyn Stream>)
                }
                None => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }
}

/// A process's end of one connection. Dropping it closes it.
struct Socket {
    wire: Arc<Wire>,
    connection: u64,
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.wire.receive(self.connection, buffer.remaining(), context.waker()) {
            Found::Bytes(bytes) => {
                buffer.put_slice(&bytes);
                Poll::Ready(Ok(()))
            }
            Found::End(End::Closed) => Poll::Ready(Ok(())),
            Found::End(End::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Found::Nothing => Poll::Pending,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(match self.wire.send(self.connection, bytes) {
            true => Ok(bytes.len()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.close(self.connection);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.wire.close(self.connection);
    }
}
