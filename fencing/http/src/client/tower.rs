//! [`AddToken`] as a layer of tower.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::{AddToken, NotSent};
use crate::FENCING_TOKEN;

impl<S> Layer<S> for AddToken {
    type Service = WithToken<S>;

    fn layer(&self, inner: S) -> WithToken<S> {
        WithToken { inner, add: self.clone() }
    }
}

/// A client that sends under a lease.
#[derive(Debug, Clone)]
pub struct WithToken<S> {
    inner: S,
    add: AddToken,
}

impl<S, B> Service<Request<B>> for WithToken<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = SendError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(SendError::Client)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.add.value() {
            Ok(value) => {
                request.headers_mut().insert(FENCING_TOKEN, value);
                let sent = self.inner.call(request);
                Box::pin(async move { sent.await.map_err(SendError::Client) })
            }
            Err(not_sent) => Box::pin(async move { Err(SendError::NotSent(not_sent)) }),
        }
    }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError<E> {
    /// The lease was over, and nothing was sent.
    #[error(transparent)]
    NotSent(NotSent),
    /// The error of the client.
    #[error(transparent)]
    Client(E),
}
