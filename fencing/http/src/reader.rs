//! [`TokenReader`]: reads the token from the head of a request.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName};
use redfence::{Resource, ResourceError};

use crate::presented::bare_token;
use crate::{FENCING_TOKEN, HeaderError, Presented, Refusal, X_FENCING_TOKEN};

type ResourceOf = dyn Fn(&Parts) -> Result<Resource, ResourceError> + Send + Sync;
#[cfg(feature = "signed")]
type Check = dyn Fn(&str) -> Result<Presented, redfence_signed_token::SignatureError> + Send + Sync;

/// Reads the token from the head of a request. Its settings say which headers count and which resource they must name.
///
/// ```
/// use redfence::Resource;
/// use redfence_http::{Refusal, TokenReader};
///
/// // PUT /orders/42 writes the resource "orders/42".
/// let reader = TokenReader::new().for_route(|head| Resource::new(head.uri.path().trim_start_matches('/')));
///
/// let request = http::Request::put("/orders/42").header("fencing-token", r#"resource="orders/42"; token="7""#);
/// assert_eq!(reader.read(&request.body(())?.into_parts().0)?.token.get(), 7);
///
/// let request = http::Request::put("/orders/43").header("fencing-token", r#"resource="orders/42"; token="7""#);
/// assert!(matches!(reader.read(&request.body(())?.into_parts().0), Err(Refusal::OtherResource { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct TokenReader {
    route: Option<Arc<ResourceOf>>,
    takes_bare: bool,
    #[cfg(feature = "signed")]
    check: Option<Arc<Check>>,
}

impl TokenReader {
    /// Reads [`FENCING_TOKEN`], whatever resource it names. The handler has to compare the resource with what it writes
    /// ([`Presented::token_for`]).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The route names the resource, and a token of another resource is refused.
    #[must_use]
    pub fn for_route(
        mut self,
        route: impl Fn(&Parts) -> Result<Resource, ResourceError> + Send + Sync + 'static,
    ) -> Self {
        self.route = Some(Arc::new(route));
        self
    }

    /// As [`for_route`](Self::for_route), and [`X_FENCING_TOKEN`] counts too: a bare number, for the resource that the
    /// route names. Nothing binds such a number to its lock: if a client mixes up two locks, the server does not
    /// notice.
    #[must_use]
    pub fn for_route_or_bare(
        self,
        route: impl Fn(&Parts) -> Result<Resource, ResourceError> + Send + Sync + 'static,
    ) -> Self {
        Self { takes_bare: true, ..self.for_route(route) }
    }

    /// Accepts only tokens that are signed with one of `keys`: `Fencing-Token: signed="redfence1.…"`. Any other value
    /// is refused, and a bare number is ignored.
    #[cfg(feature = "signed")]
    #[must_use]
    pub fn signed(mut self, keys: redfence_signed_token::Keys, clock: impl redfence::Clock) -> Self {
        self.check = Some(Arc::new(move |text| {
            let signed = keys.verify(text, clock.wall())?;
            Ok(Presented::new(signed.resource, signed.token))
        }));
        self
    }

    /// The token of a request.
    ///
    /// # Errors
    ///
    /// [`Refusal::Missing`], [`Refusal::Malformed`], [`Refusal::OtherResource`], [`Refusal::BadSignature`].
    pub fn read(&self, head: &Parts) -> Result<Presented, Refusal> {
        let resource = self.route.as_ref().map(|route| route(head)).transpose().map_err(HeaderError::Resource)?;
        let header = only(&head.headers, &FENCING_TOKEN)?;
        let takes_bare = self.takes_bare && !self.wants_signature();
        let bare = if takes_bare { only(&head.headers, &X_FENCING_TOKEN)? } else { None };
        let presented = match (header, bare, resource.as_ref()) {
            (Some(_), Some(_), _) => return Err(HeaderError::Repeated.into()),
            (Some(value), None, _) => self.present(value)?,
            (None, Some(value), Some(resource)) => {
                let text = std::str::from_utf8(value).map_err(|_| HeaderError::Token)?;
                Presented::new(resource.clone(), bare_token(text)?)
            }
            _ => return Err(Refusal::Missing),
        };
        if let Some(resource) = resource {
            presented.token_for(&resource)?;
        }
        Ok(presented)
    }

    /// Reads the value of a [`FENCING_TOKEN`] header as this reader is set up: signed or not.
    pub(crate) fn present(&self, value: &[u8]) -> Result<Presented, Refusal> {
        #[cfg(feature = "signed")]
        if let Some(check) = &self.check {
            return signed(value, &**check);
        }
        Ok(Presented::from_bytes(value)?)
    }

    #[cfg(feature = "signed")]
    const fn wants_signature(&self) -> bool {
        self.check.is_some()
    }

    #[cfg(not(feature = "signed"))]
    const fn wants_signature(&self) -> bool {
        false
    }
}

/// `signed="…"`, and no more.
#[cfg(feature = "signed")]
fn signed(value: &[u8], check: &Check) -> Result<Presented, Refusal> {
    use redfence_signed_token::SignatureError;

    let mut field = crate::field::Cursor::new(value);
    if value.len() > Presented::LEN_MAX {
        return Err(HeaderError::TooLong { len: value.len() }.into());
    }
    if field.literal("signed=").is_err() {
        return Err(Refusal::BadSignature("this server takes signed tokens only: signed=\"redfence1.…\"".to_owned()));
    }
    let text = field.string().map_err(HeaderError::from)?;
    field.end().map_err(HeaderError::from)?;
    check(&text).map_err(|error| match error {
        SignatureError::Malformed { .. } => Refusal::Malformed(error.to_string()),
        other => Refusal::BadSignature(other.to_string()),
    })
}

/// The value of a header that must occur at most once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(http::HeaderValue::as_bytes);
    if values.next().is_some() { Err(HeaderError::Repeated.into()) } else { Ok(first) }
}

impl fmt::Debug for TokenReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenReader")
            .field("for_route", &self.route.is_some())
            .field("takes_bare", &self.takes_bare)
            .field("wants_signature", &self.wants_signature())
            .finish()
    }
}
