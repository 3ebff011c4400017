//! [`Refusal`]: why a request was not carried out, as a status code and as problem details (RFC 9457).

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use redfence::{FencingToken, Resource};
use serde::{Deserialize, Serialize};

use crate::HeaderError;

/// Why a request was not carried out. Each kind has its own status code and `type`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 428: no token was presented.
    #[error("a fencing token is required: acquire the lock and send {header}", header = WANTED)]
    Missing,
    /// 400: the header cannot be read.
    #[error("the fencing token cannot be read: {0}")]
    Malformed(String),
    /// 400: a token of one resource for a write to another.
    #[error(
        "the token is for {:?}, this request writes {:?}: send the token of the lock on what is written",
        presented.as_str(),
        resource.as_str()
    )]
    OtherResource {
        /// The resource that the request writes.
        resource: Resource,
        /// The resource of the token.
        presented: Resource,
    },
    /// 403: the token is not signed with a known key, or has expired.
    #[error("the signature of the token does not pass: {0}")]
    BadSignature(String),
    /// 412: a newer holder has written. What to do: acquire the lock again, read again, and write with the new token.
    #[error(
        "stale fencing token: {presented} was presented, a holder with {highest} has written since; acquire the lock again"
    )]
    Stale {
        /// The resource of the write.
        resource: Resource,
        /// The token of the request.
        presented: FencingToken,
        /// The highest token that was accepted.
        highest: FencingToken,
    },
    /// 503: the store of the highest tokens, or of the data, could not be asked. Nothing was written.
    #[error("the token cannot be checked: its store is unreachable; nothing was written, try again")]
    Unreachable(#[source] Cause),
    /// 504: the write may have happened or not. What to do: read, under the same lease, before writing again.
    #[error("it is not known whether the write happened: its confirmation was lost; read before you write again")]
    UnknownOutcome(#[source] Cause),
    /// 500: the handler needs a token, but no layer has read one.
    #[error("this route wants a fencing token and has no TokenLayer: add .layer(TokenLayer::new()) to it")]
    NoLayer,
}

const WANTED: &str = "Fencing-Token: resource=\"NAME\"; token=\"NUMBER\"";

/// The error behind a refusal, for the log of the server: its text is not sent.
#[derive(Debug, Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Causes are only for humans: they are not compared.
impl PartialEq for Cause {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Cause {}

impl Refusal {
    /// The media type of [`to_problem`](Self::to_problem).
    pub const MEDIA_TYPE: &str = "application/problem+json";

    /// The store could not be asked, and nothing was written.
    pub fn unreachable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unreachable(Cause(cause.into().into()))
    }

    /// The write was sent, and its outcome was lost.
    pub fn unknown_outcome(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::UnknownOutcome(Cause(cause.into().into()))
    }

    /// The highest token, if the token was stale: what `redfence_retry::retry_stale` asks.
    #[must_use]
    pub const fn stale(&self) -> Option<FencingToken> {
        match self {
            Self::Stale { highest, .. } => Some(*highest),
            _ => None,
        }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing => StatusCode::PRECONDITION_REQUIRED,
            Self::Malformed(_) | Self::OtherResource { .. } => StatusCode::BAD_REQUEST,
            Self::BadSignature(_) => StatusCode::FORBIDDEN,
            Self::Stale { .. } => StatusCode::PRECONDITION_FAILED,
            Self::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::UnknownOutcome(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::NoLayer => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The problem details as JSON. Tokens are strings.
    #[must_use]
    pub fn to_problem(&self) -> String {
        let (kind, title) = self.kind();
        let mut problem = Problem {
            kind: format!("{PREFIX}{kind}").into(),
            title: title.into(),
            status: self.status().as_u16(),
            detail: match self {
                Self::Malformed(detail) | Self::BadSignature(detail) => detail.clone(),
                other => other.to_string(),
            },
            ..Problem::default()
        };
        match self {
            Self::Stale { resource, presented, highest } => {
                problem.resource = Some(resource.to_string());
                problem.presented = Some(presented.to_string());
                problem.highest = Some(highest.to_string());
            }
            Self::OtherResource { resource, presented } => {
                problem.resource = Some(resource.to_string());
                problem.presented = Some(presented.to_string());
            }
            _ => {}
        }
        // Strings and a number: writing them down cannot fail.
        serde_json::to_string(&problem).unwrap_or_default()
    }

    /// The whole response.
    #[must_use]
    pub fn to_response<B: From<String>>(&self) -> http::Response<B> {
        let mut response = http::Response::new(B::from(self.to_problem()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Self::MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Reads the body of a server's answer; `None` if it is not a refusal of this crate. So a client can distinguish a
    /// stale token from another 412.
    #[must_use]
    pub fn from_problem(body: &[u8]) -> Option<Self> {
        let problem: Problem = serde_json::from_slice(body).ok()?;
        let said = || Cause(Box::<dyn Error + Send + Sync>::from(problem.detail.clone()).into());
        let resource = || problem.resource.as_ref().and_then(|name| Resource::new(name).ok());
        Some(match problem.kind.strip_prefix(PREFIX)? {
            "missing" => Self::Missing,
            "malformed" => Self::Malformed(problem.detail),
            "bad-signature" => Self::BadSignature(problem.detail),
            "unreachable" => Self::Unreachable(said()),
            "unknown-outcome" => Self::UnknownOutcome(said()),
            "no-layer" => Self::NoLayer,
            "other-resource" => {
                Self::OtherResource { resource: resource()?, presented: Resource::new(problem.presented?).ok()? }
            }
            "stale" => Self::Stale {
                resource: resource()?,
                presented: problem.presented?.parse().ok()?,
                highest: problem.highest?.parse().ok()?,
            },
            _ => return None,
        })
    }

    /// The last word of `type`, and the title that goes with it.
    const fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Missing => ("missing", "Fencing token required"),
            Self::Malformed(_) => ("malformed", "Malformed fencing token"),
            Self::OtherResource { .. } => ("other-resource", "Fencing token of another resource"),
            Self::BadSignature(_) => ("bad-signature", "Signature of the fencing token does not pass"),
            Self::Stale { .. } => ("stale", "Stale fencing token"),
            Self::Unreachable(_) => ("unreachable", "Fencing store unreachable"),
            Self::UnknownOutcome(_) => ("unknown-outcome", "Outcome unknown"),
            Self::NoLayer => ("no-layer", "Server without a fencing layer"),
        }
    }
}

impl From<HeaderError> for Refusal {
    fn from(error: HeaderError) -> Self {
        Self::Malformed(error.to_string())
    }
}

const PREFIX: &str = "urn:redfence:problem:";

#[derive(Serialize, Deserialize, Default)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    title: Cow<'a, str>,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    presented: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    highest: Option<String>,
}
