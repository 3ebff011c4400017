//! [`AddToken`] as a middleware for reqwest.

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next};

use super::AddToken;
use crate::FENCING_TOKEN;

/// An error of the kind `Middleware` is a [`NotSent`](super::NotSent), which `downcast_ref` finds.
///
/// Add it last (`with` puts each middleware below the one before), so that a retry passes the check again. reqwest
/// follows redirects by itself, below all middlewares, with the token and without a further check.
#[async_trait::async_trait]
impl Middleware for AddToken {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response, Error> {
        let value = self.value().map_err(Error::middleware)?;
        request.headers_mut().insert(FENCING_TOKEN, value);
        next.run(request, extensions).await
    }
}
