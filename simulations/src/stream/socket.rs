//! [`ProcessDialer`]: how a process dials a server over the network; [`Socket`]: its end of a connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use redfence::node::redis::{Dial, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::byte_network::{ByteNetwork, End, Read};
use crate::harness::Process;

/// How one process connects to one server.
pub struct ProcessDialer {
    /// The network.
    pub network: Arc<ByteNetwork>,
    /// Who dials.
    pub process: Arc<Process>,
    /// Which server.
    pub node: u8,
}

impl Dial for ProcessDialer {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let Some(takes_ms) = self.network.round_trip_ms(&self.process, self.node) else {
                // No answer ever comes; the caller bounds the time.
                return std::future::pending().await;
            };
            tokio::time::sleep(Duration::from_millis(takes_ms)).await;
            match self.network.connect(&self.process, self.node) {
                Some(connection) => {
                    Ok(Box::new(Socket { network: Arc::clone(&self.network), connection }) as Box<dyn Stream>)
                }
                None => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }
}

/// A process's end of one connection. Dropping it closes it.
struct Socket {
    network: Arc<ByteNetwork>,
    connection: u64,
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.network.receive(self.connection, buffer.remaining(), context.waker()) {
            Read::Bytes(bytes) => {
                buffer.put_slice(&bytes);
                Poll::Ready(Ok(()))
            }
            Read::End(End::Closed) => Poll::Ready(Ok(())),
            Read::End(End::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Read::Nothing => Poll::Pending,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(match self.network.send(self.connection, bytes) {
            true => Ok(bytes.len()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.network.close(self.connection);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.network.close(self.connection);
    }
}
