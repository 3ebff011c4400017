//! [`AddToken`] as an interceptor for tonic.

use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::AddToken;

/// Once the lease is over a call fails with *cancelled*, and nothing is sent.
impl Interceptor for AddToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = self.value().map_err(|not_sent| Status::cancelled(not_sent.to_string()))?;
        let value = MetadataValue::<Ascii>::try_from(value.as_bytes())
            .map_err(|_| Status::internal("the token is no ASCII metadata value"))?;
        request.metadata_mut().insert(MetadataKey::from_static(FENCING_NAME), value);
        Ok(request)
    }
}

const FENCING_NAME: &str = "fencing-token";
