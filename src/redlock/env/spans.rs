//! Spans, named as OpenTelemetry names things: one for each call of a user, and below it one for each request to a node.
//!
//! They are of the level DEBUG. Without a subscriber for it a span costs one look at the level.

use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::field::Empty;
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::{Span, debug_span};

use crate::node::Node;
use crate::protocol::{Reply, VerbKind};
use crate::redlock::error::AcquireError;
use crate::{FencingToken, NodeId, Resource};

/// Whether a subscriber may ask for spans.
pub(crate) fn are_on() -> bool {
    STATIC_MAX_LEVEL >= LevelFilter::DEBUG && LevelFilter::current() >= LevelFilter::DEBUG
}

/// The present span. Without a subscriber that is one look at the level.
pub(crate) fn current() -> Span {
    if LevelFilter::current() == LevelFilter::OFF { Span::none() } else { Span::current() }
}

/// A future that stays where it is pinned, because it is large, and that is dropped with this: inside of the span that
/// instruments this.
pub(crate) struct InPlace<'a, F>(pub(crate) Pin<&'a mut Option<F>>);

impl<F: Future> Future for InPlace<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.0.as_mut().as_pin_mut().map_or(Poll::Pending, |future| future.poll(context))
    }
}

impl<F> Drop for InPlace<'_, F> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

/// The span of a call to acquire.
pub(crate) fn acquire(resource: &Resource) -> Span {
    debug_span!(
        "acquire",
        redfence.resource = %resource,
        redfence.token = Empty,
        "error.type" = Empty,
        otel.status_code = Empty,
    )
}

/// The call to acquire has this outcome.
pub(crate) fn acquired(span: &Span, outcome: Result<FencingToken, &AcquireError>) {
    let error = match outcome {
        Ok(token) => {
            span.record("redfence.token", int(token.get()));
            return;
        }
        Err(AcquireError::Resource(_)) => "resource",
        Err(AcquireError::Contended { .. } | AcquireError::HeldWithoutTtl { .. }) => "contended",
        Err(AcquireError::NoQuorum { .. }) => "no_quorum",
        Err(AcquireError::Overloaded { .. }) => "overloaded",
        Err(AcquireError::TooSlow { .. }) => "too_slow",
    };
    span.record("error.type", error).record("otel.status_code", "ERROR");
}

/// The span of a release.
pub(crate) fn release(resource: &Resource, token: FencingToken) -> Span {
    debug_span!("release", redfence.resource = %resource, redfence.token = int(token.get()))
}

/// The span of a try to extend.
pub(crate) fn extend(resource: &Resource, token: FencingToken) -> Span {
    debug_span!("extend", redfence.resource = %resource, redfence.token = int(token.get()))
}

/// The requests of one exchange that have not been answered, while a subscriber asks for spans.
#[derive(Default)]
pub(crate) struct RequestSpans(Vec<(NodeId, VerbKind, Span)>);

/// The span of one request of a lease to `node`; `None` if no subscriber asks for it.
pub(crate) fn request(id: NodeId, node: &dyn Node, verb: VerbKind) -> Option<Span> {
    let name = match verb {
        VerbKind::Grant => "grant",
        VerbKind::Seal => "seal",
        VerbKind::Extend => "extend",
        VerbKind::Release => "release",
        VerbKind::Leave | VerbKind::Inspect | VerbKind::Operate | VerbKind::Join => return None,
    };
    let span = debug_span!(
        "request",
        otel.name = name,
        otel.kind = "client",
        db.system.name = Empty,
        server.address = Empty,
        server.port = Empty,
        redfence.node = int(id.index() + 1),
        redfence.reply = Empty,
        "error.type" = Empty,
        otel.status_code = Empty,
    );
    if span.is_disabled() {
        return None;
    }
    let address = node.address();
    let (host, port) = endpoint(&address);
    span.record("server.address", host);
    if let Some(port) = port {
        span.record("server.port", int(port));
    }
    #[cfg(feature = "redis")]
    if node.as_server().is_some() {
        span.record("db.system.name", "redis");
    }
    Some(span)
}

impl RequestSpans {
    /// The request is about to be sent.
    pub(crate) fn begin(&mut self, node: NodeId, verb: VerbKind, span: Span) {
        self.0.push((node, verb, span));
    }

    /// The request is answered. The span ends when what is returned is dropped: not under a lock.
    #[must_use]
    pub(crate) fn end(&mut self, node: NodeId, verb: VerbKind, reply: &Reply) -> Option<Span> {
        let at = self.0.iter().position(|(asked, of, _)| *asked == node && *of == verb)?;
        let (_, _, span) = self.0.remove(at);
        match reply {
            Reply::Granted { .. } => span.record("redfence.reply", "granted"),
            Reply::Sealed => span.record("redfence.reply", "sealed"),
            Reply::Extended => span.record("redfence.reply", "extended"),
            Reply::Released => span.record("redfence.reply", "released"),
            Reply::Refused(_) => span.record("redfence.reply", "refused"),
            Reply::Failed(fault) => {
                let kind = tracing::field::debug(fault.kind);
                span.record("redfence.reply", "failed").record("error.type", kind).record("otel.status_code", "ERROR")
            }
            Reply::Left | Reply::Inspected(_) | Reply::Scanned { .. } | Reply::Reported(_) => &span,
        };
        Some(span)
    }
}

/// OpenTelemetry knows no unsigned numbers: a larger one would become a text.
fn int(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Host and port of an address, or the path of a socket without a port.
fn endpoint(address: &str) -> (&str, Option<u16>) {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parts {
        Some((host, port)) => (host.trim_start_matches('[').trim_end_matches(']'), Some(port)),
        None => (address, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port() {
        for (address, expected) in [
            ("a:6379", ("a", Some(6379))),
            ("[::1]:7001", ("::1", Some(7001))),
            ("/run/redis.sock", ("/run/redis.sock", None)),
            ("embedded", ("embedded", None)),
        ] {
            assert_eq!(endpoint(address), expected, "{address}");
        }
    }
}
