//! For tonic: the token in the metadata of a call, under the name and in the form of the HTTP header.

use tonic::metadata::{BinaryMetadataKey, BinaryMetadataValue, MetadataMap};
use tonic::service::Interceptor;
use tonic::{Code, Request, Status};

use crate::{FENCING_TOKEN, HeaderError, Presented, Refusal, TokenReader};

/// Where a status carries its [`Refusal`] as problem details.
const PROBLEM: &str = "fencing-problem-bin";

const MESSAGE_CHARS_MAX: usize = 256;

/// The server's interceptor: reads the token, refuses calls without one, and carries it to the handler as the request
/// extension [`Presented`]. It compares nothing: that is done by the step that writes.
///
/// A gRPC method names no resource, so the handler has to compare what it writes ([`Presented::token_for`]).
#[derive(Debug, Clone, Default)]
pub struct ReadToken {
    reader: TokenReader,
}

impl ReadToken {
    /// Reads the metadata `fencing-token`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts only tokens that are signed with one of `keys`.
    #[cfg(feature = "signed")]
    #[must_use]
    pub fn signed(keys: redfence_signed_token::Keys, clock: impl redfence::Clock) -> Self {
        Self { reader: TokenReader::new().signed(keys, clock) }
    }

    fn read(&self, metadata: &MetadataMap) -> Result<Presented, Refusal> {
        let mut values = metadata.get_all(FENCING_TOKEN.as_str()).iter();
        let value = values.next().ok_or(Refusal::Missing)?;
        if values.next().is_some() {
            return Err(HeaderError::Repeated.into());
        }
        self.reader.present(value.as_bytes())
    }
}

impl Interceptor for ReadToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let presented = self.read(request.metadata())?;
        request.extensions_mut().insert(presented);
        Ok(request)
    }
}

impl Presented {
    /// The token of a call, as [`ReadToken`] has read it.
    ///
    /// # Errors
    /// [`Refusal::NoLayer`] if the service has no such interceptor.
    pub fn of_call<T>(request: &Request<T>) -> Result<&Self, Refusal> {
        request.extensions().get().ok_or(Refusal::NoLayer)
    }
}

impl Refusal {
    /// The code: *aborted* for a stale token (begin again, with a new lease), *unavailable* where nothing was written.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Missing => Code::FailedPrecondition,
            Self::Malformed(_) | Self::OtherResource { .. } => Code::InvalidArgument,
            Self::BadSignature(_) => Code::PermissionDenied,
            Self::Stale { .. } => Code::Aborted,
            Self::Unreachable(_) => Code::Unavailable,
            Self::UnknownOutcome(_) => Code::Unknown,
            Self::NoLayer => Code::Internal,
        }
    }

    /// Reads the refusal in a status; `None` if there is none.
    #[must_use]
    pub fn from_status(status: &Status) -> Option<Self> {
        Self::from_problem(&status.metadata().get_bin(PROBLEM)?.to_bytes().ok()?)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut metadata = MetadataMap::new();
        let problem = BinaryMetadataValue::from_bytes(refusal.to_problem().as_bytes());
        metadata.insert_bin(BinaryMetadataKey::from_static(PROBLEM), problem);
        // The message is sent as a header, so long names are only in the problem details.
        let message: String = refusal.to_string().chars().take(MESSAGE_CHARS_MAX).collect();
        Self::with_metadata(refusal.code(), message, metadata)
    }
}
