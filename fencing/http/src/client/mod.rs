//! The client's side: requests carry the token of a lease, and are not sent once it is over.
//!
//! [`AddToken`] is one value for every client: a tower layer (feature `tower`), a middleware for reqwest (feature `reqwest`)
//! and an interceptor for tonic (feature `tonic`).
//!
//! The check comes right before the request goes out, so put it innermost: below retries, timeouts and queues. A
//! request that is on its way when the lease ends still arrives. The token stops it at the resource.

#[cfg(feature = "tonic")]
mod grpc;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "tower")]
mod tower;

use std::fmt;
#[cfg(feature = "signed")]
use std::sync::Arc;

use http::HeaderValue;
use redfence::{LeaseHandle, Lost, Resource};

#[cfg(feature = "tower")]
pub use self::tower::{SendError, WithToken};
use crate::Presented;

/// Adds the header `Fencing-Token` of a lease to each request, and sends none once the lease is over.
///
/// It does not keep the lease alive: the guard does.
#[derive(Clone)]
pub struct AddToken {
    lease: LeaseHandle,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Plain(HeaderValue),
    #[cfg(feature = "signed")]
    Signed(Arc<dyn Fn(&LeaseHandle) -> String + Send + Sync>),
}

impl AddToken {
    /// The token of a lease: `AddToken::of(&guard)`.
    #[must_use]
    pub fn of(lease: &LeaseHandle) -> Self {
        let presented = Presented::new(lease.resource().clone(), lease.token());
        Self { lease: lease.clone(), value: Value::Plain(presented.to_header()) }
    }

    /// The token of a lease, signed again for each request, so that it expires `lifetime` later.
    #[cfg(feature = "signed")]
    #[must_use]
    pub fn signed(
        lease: &LeaseHandle,
        keys: redfence_signed_token::Keys,
        clock: impl redfence::Clock,
        lifetime: std::time::Duration,
    ) -> Self {
        let sign = move |lease: &LeaseHandle| {
            let text = keys.sign(lease.resource(), lease.token(), clock.wall().after(lifetime));
            format!("signed=\"{text}\"")
        };
        Self { lease: lease.clone(), value: Value::Signed(Arc::new(sign)) }
    }

    /// The value of the header for a request that is sent now.
    ///
    /// # Errors
    ///
    /// [`NotSent`] once the lease is over.
    pub fn value(&self) -> Result<HeaderValue, NotSent> {
        self.lease.check().map_err(|lost| NotSent { resource: self.lease.resource().clone(), lost })?;
        Ok(match &self.value {
            Value::Plain(value) => value.clone(),
            #[cfg(feature = "signed")]
            // Visible ASCII is always a valid header value.
            Value::Signed(sign) => {
                HeaderValue::try_from(sign(&self.lease)).unwrap_or_else(|_| HeaderValue::from_static(""))
            }
        })
    }
}

impl fmt::Debug for AddToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddToken").field("lease", &self.lease).finish_non_exhaustive()
    }
}

/// A request was not sent, because the lease was over.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "not sent: the lease on {:?} is over; acquire the lock again, and read again before you write",
    resource.as_str()
)]
pub struct NotSent {
    /// The resource of the lease.
    pub resource: Resource,
    /// Why it is over.
    #[source]
    pub lost: Lost,
}
