//! [`TokenLayer`]: the server's side as a tower layer.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use redfence::verifier::{TokenStore, Verifier};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Presented, Refusal, TokenReader};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// For the routes that write: reads the token, refuses requests without one, and carries it to the handler as the
/// request extension [`Presented`].
///
/// **The layer compares nothing.** The handler takes the token into its own transaction, and the step that writes
/// admits it.
#[derive(Clone, Default)]
pub struct TokenLayer {
    reader: TokenReader,
    admission: Option<Arc<dyn Admission>>,
}

impl TokenLayer {
    /// Reads the header `Fencing-Token`, whatever resource it names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads as `reader` says.
    #[must_use]
    pub const fn reading(reader: TokenReader) -> Self {
        Self { reader, admission: None }
    }

    /// Also admits the token in front of the handler: 412 and 503 come from here. **This does not fence the later work
    /// of the handler**: between the admission and the handler's write a newer holder may write, and then the older
    /// write overwrites it. It saves work for requests that would be refused anyway. It does not replace the check in
    /// the step that writes.
    #[must_use]
    pub fn admitting<S: TokenStore + 'static>(mut self, verifier: Verifier<S>) -> Self {
        self.admission = Some(Arc::new(verifier));
        self
    }
}

impl fmt::Debug for TokenLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let admitting = self.admission.is_some();
        f.debug_struct("TokenLayer").field("reader", &self.reader).field("admitting", &admitting).finish()
    }
}

/// A verifier with any store.
trait Admission: Send + Sync {
    fn admit<'a>(&'a self, presented: &'a Presented) -> Boxed<'a, Result<(), Refusal>>;
}

impl<S: TokenStore> Admission for Verifier<S> {
    fn admit<'a>(&'a self, presented: &'a Presented) -> Boxed<'a, Result<(), Refusal>> {
        Box::pin(presented.admit(self))
    }
}

impl<S> Layer<S> for TokenLayer {
    type Service = TokenService<S>;

    fn layer(&self, inner: S) -> TokenService<S> {
        TokenService { inner, layer: self.clone() }
    }
}

/// A service that gets its requests through a [`TokenLayer`].
#[derive(Debug, Clone)]
pub struct TokenService<S> {
    inner: S,
    layer: TokenLayer,
}

impl<S, B, R> Service<Request<B>> for TokenService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Boxed<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Calls the service that was polled ready; its clone may not be ready.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let TokenLayer { reader, admission } = self.layer.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let presented = match reader.read(&head) {
                Ok(presented) => presented,
                Err(refusal) => return Ok(refusal.to_response()),
            };
            if let Some(admission) = admission
                && let Err(refusal) = admission.admit(&presented).await
            {
                return Ok(refusal.to_response());
            }
            head.extensions.insert(presented);
            inner.call(Request::from_parts(head, body)).await
        })
    }
}
