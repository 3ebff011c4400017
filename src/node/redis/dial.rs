//! Opens the byte stream to a server: TCP, TLS or a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::address::Endpoint;

/// A connected byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Opens byte streams to one server. A simulation passes its own implementation.
pub trait Dial: Send + Sync + 'static {
    /// Opens one stream. The caller bounds the time.
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;
}

/// Opens streams over the network.
pub(super) struct Network {
    endpoint: Endpoint,
    /// The longest time that dialling and login may take together. Each step has a slightly shorter limit, so that
    /// the error names the step.
    limit: Duration,
    #[cfg(feature = "tls")]
    tls: super::tls::Trust,
}

impl Network {
    pub(super) const fn new(
        endpoint: Endpoint,
        limit: Duration,
        #[cfg(feature = "tls")] tls: super::tls::Trust,
    ) -> Self {
        Self {
            endpoint,
            limit,
            #[cfg(feature = "tls")]
            tls,
        }
    }

    /// Opens the TCP connection. It tries all addresses of the name.
    async fn tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let within = self.limit / 10 * 9;
        let connect = async {
            let looked_up =
                in_time(self.limit / 4 * 3, "the name lookup", tokio::net::lookup_host((host, port))).await?;
            first_that_answers(looked_up.collect(), self.limit / 8).await
        };
        let stream = in_time(within, "the TCP connection", connect).await?;
        // Lock traffic is single small packets. Waiting to fill a packet would cost a round trip.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    #[cfg(feature = "tls")]
    async fn tls(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
        let connect = async { self.tls.handshake(host, self.tcp(host, port).await?).await };
        Ok(Box::new(in_time(self.limit / 20 * 19, "the TLS handshake (a plain port is redis://)", connect).await?))
    }
}

impl Dial for Network {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            Ok(match &self.endpoint {
                Endpoint::Tcp { host, port } => Box::new(self.tcp(host, *port).await?) as Box<dyn Stream>,
                #[cfg(feature = "tls")]
                Endpoint::Tls { host, port } => self.tls(host, *port).await?,
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

async fn in_time<T>(limit: Duration, step: &str, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("{step} did not end within {limit:?}")))
    })
}

/// Connects to the first address that answers. It tries each address `head_start` after the one before, or as soon as
/// that one failed. So a silent address does not delay the others.
async fn first_that_answers(addresses: Vec<SocketAddr>, head_start: Duration) -> io::Result<TcpStream> {
    /// More addresses than a server has; further ones are ignored.
    const ADDRESSES_MAX: usize = 8;
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut waiting = addresses.into_iter().take(ADDRESSES_MAX);
    let mut dials: FuturesUnordered<_> = waiting.next().map(TcpStream::connect).into_iter().collect();
    loop {
        let is_last = waiting.len() == 0;
        tokio::select! {
            dialled = dials.next() => match dialled {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => {
                    failure = error;
                    dials.extend(waiting.next().map(TcpStream::connect));
                }
                None => return Err(failure),
            },
            () = sleep(head_start), if !is_last => dials.extend(waiting.next().map(TcpStream::connect)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listener that accepts nothing and whose queue is full, so dialling it gets no answer.
    async fn silent() -> (SocketAddr, tokio::net::TcpListener, Vec<TcpStream>) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(Ok(stream)) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            queued.push(stream);
        }
        (address, listener, queued)
    }

    #[tokio::test]
    async fn r10_a_first_address_that_is_silent_does_not_starve_the_second() {
        let (silent, _listener, _queued) = silent().await;
        let good = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = good.local_addr().map(|address| (address, good)).unwrap();
        let limit = Duration::from_secs(10);
        let dial = first_that_answers(vec![silent, good.0], Duration::from_millis(20));
        assert_eq!(timeout(limit, dial).await.unwrap().unwrap().peer_addr().unwrap(), good.0);
        let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // An address that refuses costs no head start.
        let dial = first_that_answers(vec![refused, good.0], limit * 6);
        assert_eq!(timeout(limit, dial).await.unwrap().unwrap().peer_addr().unwrap(), good.0);
        let dial = first_that_answers(vec![refused, refused], limit * 6);
        assert_eq!(timeout(limit, dial).await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn r10_a_step_of_a_dial_that_does_not_end_is_named() {
        let limit = Duration::from_millis(50);
        let lookup = in_time(limit, "the name lookup", std::future::pending::<io::Result<()>>()).await;
        assert_eq!(lookup.unwrap_err().to_string(), "the name lookup did not end within 50ms");
        let (silent, _listener, _queued) = silent().await;
        let endpoint = Endpoint::Tcp { host: "127.0.0.1".to_owned(), port: silent.port() };
        let network = Network::new(
            endpoint,
            limit * 10,
            #[cfg(feature = "tls")]
            super::super::tls::Trust::default(),
        );
        let error = network.dial().await.map(drop).unwrap_err();
        assert_eq!(error.to_string(), "the TCP connection did not end within 450ms");
    }

    #[tokio::test]
    async fn a_dial_without_an_end_connects() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let network = Network::new(
            Endpoint::Tcp { host: "127.0.0.1".to_owned(), port },
            Duration::MAX,
            #[cfg(feature = "tls")]
            super::super::tls::Trust::default(),
        );
        network.dial().await.map(drop).unwrap();
    }
}
