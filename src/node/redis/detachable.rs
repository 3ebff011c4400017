//! [`Detachable`]: a stream that is lent to the redis crate, for a login or for questions, and can be taken back.
//!
//! The crate reads replies of any size. So this type lets only a bounded number of bytes pass. It keeps the first
//! ones, because a server that refuses a client says why and then closes the connection.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::Stream;

/// A stream that can be taken back.
#[derive(Clone)]
pub(super) struct Detachable(Arc<Mutex<Lent>>);

struct Lent {
    stream: Option<Box<dyn Stream>>,
    /// How many more bytes may come in.
    left: usize,
    /// The first bytes that came in.
    said: Vec<u8>,
}

/// How many of the first bytes are kept.
const SAID_MAX: usize = 512;

impl Detachable {
    /// Lends `stream` until `bytes_max` bytes have come in.
    pub(super) fn of(stream: Box<dyn Stream>, bytes_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Lent { stream: Some(stream), left: bytes_max, said: Vec::new() })))
    }

    /// Takes the stream back. Clones of this value find it closed.
    pub(super) fn take_back(&self) -> Option<Box<dyn Stream>> {
        self.lent(|lent| lent.stream.take())
    }

    /// The first bytes that came in.
    pub(super) fn said(&self) -> Vec<u8> {
        self.lent(|lent| lent.said.clone())
    }

    fn lent<T>(&self, act: impl FnOnce(&mut Lent) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with<T>(&self, act: impl FnOnce(Pin<&mut Box<dyn Stream>>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.lent(|lent| match &mut lent.stream {
            Some(stream) => act(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        })
    }
}

impl AsyncRead for Detachable {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, place: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = place.filled().len();
        ready!(self.with(|stream| stream.poll_read(context, place)))?;
        let came = place.filled().get(before..).unwrap_or_default();
        self.lent(|lent| {
            let kept = came.get(..came.len().min(SAID_MAX.saturating_sub(lent.said.len())));
            lent.said.extend_from_slice(kept.unwrap_or_default());
            lent.left = lent.left.checked_sub(came.len()).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "the server sends more than any reply needs")
            })?;
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for Detachable {
    /// If the server has closed the connection, a write pretends to succeed: the bytes that the server sent before
    /// say more than the write error, and are still to be read.
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(self.with(|stream| stream.poll_write(context, bytes))) {
            Err(error) if has_hung_up(&error) => Poll::Ready(Ok(bytes.len())),
            outcome => Poll::Ready(outcome),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(self.with(|stream| stream.poll_flush(context))) {
            Err(error) if has_hung_up(&error) => Poll::Ready(Ok(())),
            outcome => Poll::Ready(outcome),
        }
    }

    /// The login does not own the stream, so it does not close it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn has_hung_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
