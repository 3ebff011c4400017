//! For axum: [`Presented`] as an argument of handlers, [`Refusal`] as their error response.

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::{Presented, Refusal};

/// The token that the layer of the route has read. Without a layer there is no token, even if the headers have one.
impl<S: Sync> FromRequestParts<S> for Presented {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Refusal> {
        head.extensions.get::<Self>().cloned().ok_or(Refusal::NoLayer)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.to_response()
    }
}
