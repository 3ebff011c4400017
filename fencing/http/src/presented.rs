//! [`Presented`]: a token as a request presents it, and its header.

use std::fmt;
use std::str::FromStr;

use http::{HeaderName, HeaderValue};
use redfence::verifier::{StaleToken, TokenStore, Verdict, Verifier};
use redfence::{FencingToken, Resource};

use crate::Refusal;
use crate::field::{Broken, Cursor, write_string};

/// The header: `Fencing-Token: resource="orders/42"; token="1882557276749825"`.
pub const FENCING_TOKEN: HeaderName = HeaderName::from_static("fencing-token");

/// The header of other clients, a bare number: `X-Fencing-Token: 42`. The route names the resource.
pub const X_FENCING_TOKEN: HeaderName = HeaderName::from_static("x-fencing-token");

/// A token that a request presented, and its resource. It was only read, and not compared with anything. Admit it
/// inside the transaction that writes.
///
/// ```
/// use redfence_http::Presented;
///
/// let presented: Presented = r#"resource="orders/42"; token="1882557276749825""#.parse()?;
/// assert_eq!(presented.resource.as_str(), "orders/42");
/// assert_eq!(presented.to_string(), r#"resource="orders/42"; token="1882557276749825""#);
/// # Ok::<(), redfence_http::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Presented {
    /// The resource of the token.
    pub resource: Resource,
    /// The token.
    pub token: FencingToken,
}

impl Presented {
    /// The longest value of the header, in bytes.
    pub const LEN_MAX: usize = 2048;

    /// A token for a resource.
    #[must_use]
    pub const fn new(resource: Resource, token: FencingToken) -> Self {
        Self { resource, token }
    }

    /// Reads the value of a [`FENCING_TOKEN`] header.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] for everything but one resource with one token.
    pub fn from_bytes(value: &[u8]) -> Result<Self, HeaderError> {
        if value.len() > Self::LEN_MAX {
            return Err(HeaderError::TooLong { len: value.len() });
        }
        let mut field = Cursor::new(value);
        field.literal("resource=")?;
        let name = field.any_string()?;
        field.literal(";")?;
        field.spaces();
        field.literal("token=")?;
        let token = field.string()?;
        field.end()?;
        Ok(Self::new(Resource::new(name).map_err(HeaderError::Resource)?, bare_token(&token)?))
    }

    /// The value of the header.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        // Visible ASCII and spaces are always a valid header value.
        HeaderValue::try_from(self.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The token, if it is for `resource`: for a handler that chooses the resource that it writes.
    ///
    /// # Errors
    ///
    /// [`Refusal::OtherResource`]: a token of one lock says nothing about what another protects.
    pub fn token_for(&self, resource: &Resource) -> Result<FencingToken, Refusal> {
        if self.resource == *resource {
            Ok(self.token)
        } else {
            Err(Refusal::OtherResource { resource: resource.clone(), presented: self.resource.clone() })
        }
    }

    /// **Admission**: asks the verifier now, separately from any write. It does not fence later work, because a newer
    /// holder may write in between. Use it only if check and write cannot be one step.
    ///
    /// # Errors
    ///
    /// [`Refusal::Stale`], or [`Refusal::Unreachable`] when the store fails: then nothing is known.
    ///
    /// # Cancel safety
    /// The same as [`Verifier::admit`].
    pub async fn admit<S: TokenStore>(&self, verifier: &Verifier<S>) -> Result<(), Refusal> {
        match verifier.admit(&self.resource, self.token).await {
            Ok(Verdict::Admitted) => Ok(()),
            Ok(Verdict::Stale { highest }) => Err(self.stale(StaleToken { highest })),
            Err(error) => Err(Refusal::unreachable(error)),
        }
    }

    /// The refusal of this token, after the step that writes has refused it.
    #[must_use]
    pub fn stale(&self, stale: StaleToken) -> Refusal {
        Refusal::Stale { resource: self.resource.clone(), presented: self.token, highest: stale.highest }
    }
}

/// The value of the header.
impl fmt::Display for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = String::with_capacity(self.resource.as_str().len() + 3);
        write_string(self.resource.as_str(), &mut name);
        write!(f, "resource={name}; token=\"{}\"", self.token)
    }
}

impl FromStr for Presented {
    type Err = HeaderError;

    fn from_str(value: &str) -> Result<Self, HeaderError> {
        Self::from_bytes(value.as_bytes())
    }
}

/// The decimal number in the one form that `FencingToken` prints.
pub(crate) fn bare_token(text: &str) -> Result<FencingToken, HeaderError> {
    if text.len() > 16 || text.starts_with('0') {
        return Err(HeaderError::Token);
    }
    text.parse().map_err(|_| HeaderError::Token)
}

/// Why the value of a header was refused. It repeats nothing of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Longer than [`Presented::LEN_MAX`].
    #[error("the value has {len} bytes, at most {max} are read", max = Presented::LEN_MAX)]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// Not the grammar.
    #[error("expected {expected} before byte {at}; the value is: resource=\"NAME\"; token=\"NUMBER\"")]
    Grammar {
        /// Where reading stopped, in bytes.
        at: usize,
        /// What should have been there.
        expected: &'static str,
    },
    /// Not the name of a resource.
    #[error("{0}")]
    Resource(redfence::ResourceError),
    /// Not a token.
    #[error("the token is a decimal number from 1 to {max} without leading zeros", max = FencingToken::MAX)]
    Token,
    /// Two headers: it is not clear which one is meant.
    #[error("the header is there more than once; one request writes under one token")]
    Repeated,
}

impl From<Broken> for HeaderError {
    fn from(Broken { at, expected }: Broken) -> Self {
        Self::Grammar { at, expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_passes() {
        for (value, read) in [
            (r#"resource="orders/42"; token="1882557276749825""#, Some(("orders/42", 1_882_557_276_749_825))),
            (r#"resource="orders/42";token="1""#, Some(("orders/42", 1))),
            (r#"resource="a\"b\\c";   token="9007199254740991""#, Some(("a\"b\\c", FencingToken::MAX))),
            (r#"resource=%"K%c3%b6ln"; token="7""#, Some(("Köln", 7))),
            (r#"resource=%"a%22b%25\"; token="7""#, Some(("a\"b%\\", 7))),
            (r#"resource=%"K%C3%B6ln"; token="7""#, None),
            (r#"resource=%"%c3"; token="7""#, None),
            (r#"resource="Köln"; token="7""#, None),
            (r#"resource="a" ; token="7""#, None),
            (r#" resource="a"; token="7""#, None),
            (r#"resource="a"; token="7" "#, None),
            (r#"resource="a"; token="7";"#, None),
            (r#"resource="a"; token="7","#, None),
            (r#"resource="a";; token="7""#, None),
            (r#"resource="a"; token=7"#, None),
            (r#"resource="a"; token="007""#, None),
            (r#"resource="a"; token="0""#, None),
            (r#"resource="a"; token="9007199254740992""#, None),
            (r#"resource="a"; token="+7""#, None),
            (r#"resource="a"; token="7"; token="8""#, None),
            (r#"resource="a"; token="7", resource="b"; token="8""#, None),
            (r#"resource=""; token="7""#, None),
            (r#"resource=%"%0a"; token="7""#, None),
            (r#"resource="a\n"; token="7""#, None),
            (r#"token="7"; resource="a""#, None),
            (r#"resource="a"#, None),
            ("", None),
            ("42", None),
        ] {
            let expected = read
                .map(|(name, token)| Presented::new(Resource::new(name).unwrap(), FencingToken::new(token).unwrap()));
            assert_eq!(value.parse::<Presented>().ok(), expected, "{value}");
        }
    }
}
