//! Plain HTTP for object_store's S3 client, one connection for each request; it can change the requests and the
//! answers.
//!
//! Puts follow one another here: moto checks a condition and stores without a lock in between, and these tests must not
//! depend on luck.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientOptions, RetryConfig};
use tokio::net::TcpStream;

use super::support::Moto;

/// What happens to conditional puts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The next one arrives, and the client gets this status.
    NextIs(u16),
    /// The next one does not arrive, and the client gets this status.
    NextIsOnly(u16),
    /// The next one arrives, and the connection breaks before the answer.
    NextBreaks,
    /// The condition does not arrive: `If-None-Match`.
    NoCreate,
    /// The condition does not arrive: `If-Match`.
    NoUpdate,
}

#[derive(Debug, Clone)]
pub struct Wire {
    port: u16,
    wrong: Arc<Mutex<Option<Wrong>>>,
    one_put: Arc<futures::lock::Mutex<()>>,
}

impl Wire {
    pub fn to(server: &Moto) -> Self {
        Self { port: server.port(), wrong: Arc::default(), one_put: Arc::default() }
    }

    pub fn go_wrong(&self, how: Wrong) {
        *self.wrong.lock().unwrap() = Some(how);
    }

    pub fn s3(&self) -> AmazonS3 {
        self.builder().build().expect("a client for S3")
    }

    /// A client that repeats nothing.
    pub fn s3_that_gives_up(&self) -> AmazonS3 {
        let never = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        self.builder().with_retry(never).build().expect("a client for S3")
    }

    fn builder(&self) -> AmazonS3Builder {
        AmazonS3Builder::new()
            .with_http_connector(self.clone())
            .with_allow_http(true)
            .with_endpoint(format!("http://127.0.0.1:{}", self.port))
            .with_bucket_name(Moto::BUCKET)
            .with_region("us-east-1")
            .with_access_key_id("test")
            .with_secret_access_key("test")
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let connect = |error| HttpError::new(HttpErrorKind::Connect, error);
        let socket = TcpStream::connect(("127.0.0.1", self.port)).await.map_err(connect)?;
        let failed = |error| HttpError::new(HttpErrorKind::Unknown, error);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(failed)?;
        tokio::spawn(connection);
        let (mut parts, body) = request.into_parts();
        // One connection to one server: only the path is needed.
        if let Some(host) = parts.uri.authority().and_then(|host| host.as_str().parse().ok()) {
            parts.headers.entry("host").or_insert(host);
        }
        parts.uri = parts.uri.path_and_query().expect("a path").as_str().parse().expect("a path");
        let answer = sender.send_request(HttpRequest::from_parts(parts, body)).await.map_err(failed)?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(failed)?.to_bytes();
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(body)))
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

fn says(status: u16) -> HttpResponse {
    let mut answer = HttpResponse::new(HttpResponseBody::from(Vec::new()));
    *answer.status_mut() = status.try_into().expect("a status");
    answer
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let conditional = ["if-match", "if-none-match"].iter().any(|name| request.headers().contains_key(*name));
        if request.method() != "PUT" || !conditional {
            return self.send(request).await;
        }
        let _alone = self.one_put.lock().await;
        let wrong = {
            let mut wrong = self.wrong.lock().unwrap();
            match *wrong {
                Some(Wrong::NoCreate | Wrong::NoUpdate) => *wrong,
                _ => wrong.take(),
            }
        };
        match wrong {
            None => {}
            Some(Wrong::NextIs(status)) => {
                self.send(request).await?;
                return Ok(says(status));
            }
            Some(Wrong::NextIsOnly(status)) => return Ok(says(status)),
            Some(Wrong::NextBreaks) => {
                self.send(request).await?;
                let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                return Err(HttpError::new(HttpErrorKind::Interrupted, reset));
            }
            Some(Wrong::NoCreate) => drop(request.headers_mut().remove("if-none-match")),
            Some(Wrong::NoUpdate) => drop(request.headers_mut().remove("if-match")),
        }
        self.send(request).await
    }
}
