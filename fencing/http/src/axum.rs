//! For axum: [`Presented`] as an argument of handlers, [`Refusal`] as what they return.

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::{Presented, Refusal};

/// What the layer of the route has read; without a layer there is no token, whatever the headers say.
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
