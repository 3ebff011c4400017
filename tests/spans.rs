//! Spans: what belongs to a call is in the span of that call, also what happens when the call is dropped, and what
//! another task does for it.

#![allow(clippy::unwrap_used, reason = "a mutex that is poisoned fails the test that poisoned it")]

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use redfence::node::{Node, Responder, WakeListener};
use redfence::protocol::{Request, Verb};
use redfence::{EmbeddedNode, LockerId, NodeId, Redlock, ReleaseOutcome};
use tracing::level_filters::LevelFilter;
use tracing::span::Attributes;
use tracing::{Id, Instrument as _, Span, Subscriber, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// Notes of each request span which span it is in.
struct Parents(Arc<Mutex<Vec<Option<&'static str>>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Parents {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() == "request" {
            let parent = context.span(id).and_then(|span| span.parent());
            self.0.lock().unwrap().push(parent.map(|parent| parent.name()));
        }
    }
}

/// A node that notes the spans in which it gets grants, and perhaps keeps the grants to itself.
struct Watched {
    node: EmbeddedNode,
    keeps_grants: bool,
    kept: Mutex<Vec<Responder>>,
    spans: Arc<Mutex<Vec<Option<&'static str>>>>,
}

impl Node for Watched {
    fn send(&self, request: Request, answer: Responder) {
        let is_grant = matches!(request.verb, Verb::Grant { .. });
        if is_grant {
            self.spans.lock().unwrap().push(Span::current().metadata().map(|span| span.name()));
        }
        if is_grant && self.keeps_grants {
            self.kept.lock().unwrap().push(answer);
        } else {
            self.node.send(request, answer);
        }
    }

    fn listen(&self, id: NodeId, locker: LockerId, listener: Weak<dyn WakeListener>) {
        self.node.listen(id, locker, listener);
    }

    fn admit(&self, session: u64) {
        self.node.admit(session);
    }

    fn address(&self) -> String {
        self.node.address()
    }
}

type Spans = Arc<Mutex<Vec<Option<&'static str>>>>;

fn locker(keeps_grants: bool) -> (Redlock, Spans) {
    let spans = Spans::default();
    let node =
        |_| Watched { node: EmbeddedNode::new(), keeps_grants, kept: Mutex::default(), spans: Arc::clone(&spans) };
    let nodes = (0..3).map(node);
    let builder = nodes.fold(Redlock::builder(), redfence::Builder::node);
    (builder.new_installation(true).build().unwrap(), spans)
}

/// Runs `body` with a subscriber for spans up to `level`. Returns in which spans the request spans are.
fn run(level: LevelFilter, body: impl Future<Output = ()>) -> Vec<Option<&'static str>> {
    let parents = Spans::default();
    let subscriber = tracing_subscriber::registry().with(Parents(Arc::clone(&parents)).with_filter(level));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(body));
    parents.lock().unwrap().clone()
}

#[test]
fn a_dropped_call_sends_its_releases_in_its_span() {
    let parents = run(LevelFilter::DEBUG, async {
        let (redlock, grants) = locker(true);
        let mut call = Box::pin(redlock.try_acquire("invoice"));
        while grants.lock().unwrap().len() < 3 {
            assert!(futures::poll!(&mut call).is_pending());
            tokio::task::yield_now().await;
        }
        drop(call);
    });
    assert_eq!(parents, [Some("acquire"); 6], "three grants, three releases");
}

#[test]
fn what_a_task_asks_for_another_is_in_the_span_of_the_other() {
    run(LevelFilter::INFO, async {
        let (redlock, grants) = locker(false);
        let guard = redlock.acquire("invoice").await.unwrap();
        grants.lock().unwrap().clear();
        let waiting = {
            let redlock = redlock.clone();
            tokio::spawn(async move { redlock.acquire("invoice").await }.instrument(info_span!("waits")))
        };
        // The task has its place when it has run once.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let released = guard.release().instrument(info_span!("releases")).await;
        let next = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap().unwrap();
        assert_eq!(*grants.lock().unwrap(), [Some("waits"); 3]);
        assert!(matches!(released, ReleaseOutcome::Released { .. } | ReleaseOutcome::HandedOver), "{released:?}");
        assert!(matches!(next.release().await, ReleaseOutcome::Released { .. }));
    });
}
