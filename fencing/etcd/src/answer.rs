//! The meaning of etcd's errors for a transaction that writes.

use etcd_client::Error as EtcdError;
use redfence_claim::ClaimError;
use tonic::Code;

use crate::Error;

/// The codes with which etcd refuses a request before it proposes it to the other members.
const REFUSED: &[Code] = &[
    Code::InvalidArgument,
    Code::PermissionDenied,
    Code::Unauthenticated,
    Code::FailedPrecondition,
    Code::OutOfRange,
    Code::NotFound,
    Code::Unimplemented,
];

/// The failure of a transaction that writes. Everything that is not certainly a refusal is an unknown outcome, also
/// `Unavailable`: etcd answers so when a proposal that it has sent has timed out.
pub(crate) fn unanswered(error: EtcdError) -> Error {
    match &error {
        EtcdError::GRpcStatus(status) if REFUSED.contains(&status.code()) => ClaimError::Store(error),
        EtcdError::InvalidArgs(_) | EtcdError::InvalidUri(_) | EtcdError::EndpointError(_) => ClaimError::Store(error),
        _ => ClaimError::Unknown(error),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    #[test]
    fn only_a_refusal_says_that_nothing_was_written() {
        for code in REFUSED {
            let judged = unanswered(EtcdError::GRpcStatus(Status::new(*code, "")));
            assert!(matches!(judged, ClaimError::Store(_)), "{code:?}");
        }
        for code in [Code::Unavailable, Code::Unknown, Code::DeadlineExceeded, Code::Cancelled, Code::Internal] {
            let judged = unanswered(EtcdError::GRpcStatus(Status::new(code, "")));
            assert!(matches!(judged, ClaimError::Unknown(_)), "{code:?}");
        }
    }
}
