//! [`ByteStream`]: writes and reads the bytes of one connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use redis::Value;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::dial::Stream;
use super::fault;
use super::frame::{self, Garbled};
use crate::protocol::{Fault, FaultKind};

/// The bytes of one connection.
pub(super) struct ByteStream {
    stream: Box<dyn Stream>,
    /// The bytes to write.
    pub(super) out: Vec<u8>,
    written: usize,
    /// Whether the stream has flushed all bytes that it accepted.
    is_flushed: bool,
    input: Vec<u8>,
    /// How many bytes of `input` have been consumed.
    taken: usize,
    /// Kept, because a new one would allocate 8 KiB for each reply.
    parser: redis::Parser,
}

/// The most bytes that are read in one step.
const READ_MAX: usize = 16 * 1024;

impl ByteStream {
    pub(super) fn over(stream: Box<dyn Stream>) -> Self {
        let parser = redis::Parser::new();
        Self { stream, out: Vec::new(), written: 0, is_flushed: true, input: Vec::new(), taken: 0, parser }
    }

    /// Writes the waiting bytes, as far as the stream accepts them.
    pub(super) fn write(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while let Some(rest @ [_, ..]) = self.out.get(self.written..) {
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        if self.written > 0 {
            self.out.clear();
            (self.written, self.is_flushed) = (0, false);
        }
        if !self.is_flushed {
            // TLS may keep bytes back while the socket is full.
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.is_flushed = true,
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns the next reply, or `None` if it is incomplete. Then `context` is woken when more bytes have come in.
    pub(super) fn read(&mut self, context: &mut Context<'_>) -> Result<Option<Value>, Fault> {
        let lost = |detail: String| Fault::new(FaultKind::ConnectionLost, detail);
        loop {
            if let Some(rest @ [_, ..]) = self.input.get(self.taken..) {
                let garbled = |garbled| {
                    Fault::new(
                        FaultKind::Unexpected,
                        match garbled {
                            Garbled::NoReply => "the server is not a Redis server: it does not speak the protocol",
                            Garbled::TooLarge => "a reply that is larger than any that was asked for",
                        },
                    )
                };
                if let Some(length) = frame::len(rest).map_err(garbled)? {
                    let reply = rest.get(..length).unwrap_or_default();
                    let value = self.parser.parse_value(reply).map_err(|error| fault::of_connection(&error))?;
                    self.taken += length;
                    return Ok(Some(value));
                }
            }
            self.input.drain(..self.taken);
            self.taken = 0;
            let mut place = [std::mem::MaybeUninit::uninit(); READ_MAX];
            let mut place = ReadBuf::uninit(&mut place);
            match Pin::new(&mut self.stream).poll_read(context, &mut place) {
                Poll::Pending => return Ok(None),
                Poll::Ready(Err(error)) => return Err(lost(error.to_string())),
                Poll::Ready(Ok(())) if place.filled().is_empty() => {
                    return Err(lost("the server closed the connection".to_owned()));
                }
                Poll::Ready(Ok(())) => self.input.extend_from_slice(place.filled()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncRead, AsyncWrite};

    use super::*;

    /// Accepts all bytes, and passes them on only at the second flush.
    struct Hesitant {
        taken: usize,
        flushes: usize,
        passed_on: Arc<AtomicUsize>,
    }

    impl AsyncRead for Hesitant {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Hesitant {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.taken += bytes.len();
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            if self.flushes == 1 {
                return Poll::Pending;
            }
            self.passed_on.store(self.taken, Ordering::Relaxed);
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_a_stream_keeps_for_itself_is_flushed_later() {
        let passed_on = Arc::new(AtomicUsize::new(0));
        let stream = Hesitant { taken: 0, flushes: 0, passed_on: Arc::clone(&passed_on) };
        let mut pipe = ByteStream::over(Box::new(stream));
        let mut context = Context::from_waker(std::task::Waker::noop());
        pipe.out.extend_from_slice(b"PING");
        pipe.write(&mut context).unwrap();
        assert_eq!(passed_on.load(Ordering::Relaxed), 0);
        // The courier is woken when the stream has room again, although there is nothing new to write.
        pipe.write(&mut context).unwrap();
        assert_eq!(passed_on.load(Ordering::Relaxed), 4);
    }
}
