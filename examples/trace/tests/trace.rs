//! One acquire over five real servers is one trace: the call, and below it a request to each node.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

#[path = "../../migration/tests/support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use opentelemetry::Value;
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SpanData};
use redfence::{FencingToken, Redlock};
use support::daemon::Daemon;
use support::{deadline, redis};
use trace_example::{acquire_once, export_to};

const LIMIT: Duration = Duration::from_secs(20);

fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|attribute| attribute.key.as_str() == key).map(|attribute| &attribute.value)
}

fn port_of(span: &SpanData) -> u16 {
    match attribute(span, "server.port") {
        Some(Value::I64(port)) => u16::try_from(*port).unwrap(),
        other => panic!("{other:?} is no port"),
    }
}

fn named<'a>(spans: &'a [SpanData], name: &str, parent: SpanId) -> Vec<&'a SpanData> {
    spans.iter().filter(|span| span.name == name && span.parent_span_id == parent).collect()
}

/// One acquire of `token` has a child for each node, and the release has children as well.
fn is_one_acquire(spans: &[SpanData], token: FencingToken, ports: &BTreeSet<u16>) {
    let roots = named(spans, "acquire", SpanId::INVALID);
    let [acquire] = roots.as_slice() else { panic!("{spans:#?}") };
    assert_eq!(attribute(acquire, "redfence.resource"), Some(&Value::from("order/42")));
    assert_eq!(attribute(acquire, "redfence.token"), Some(&Value::I64(token.get().try_into().unwrap())));
    assert_eq!(acquire.span_kind, SpanKind::Internal);
    let grants = named(spans, "grant", acquire.span_context.span_id());
    assert_eq!(grants.len(), 5);
    let below = spans.iter().filter(|span| span.parent_span_id == acquire.span_context.span_id());
    assert_eq!(below.count(), 5, "nothing else is below it");
    for grant in &grants {
        assert_eq!(grant.span_context.trace_id(), acquire.span_context.trace_id());
        assert_eq!(grant.span_kind, SpanKind::Client);
        assert_eq!(attribute(grant, "db.system.name"), Some(&Value::from("redis")));
        assert_eq!(attribute(grant, "server.address"), Some(&Value::from("127.0.0.1")));
        assert_eq!(attribute(grant, "redfence.reply"), Some(&Value::from("granted")));
        assert_eq!(grant.status, Status::Unset);
        assert!(grant.start_time >= acquire.start_time && grant.end_time >= grant.start_time);
    }
    assert_eq!(grants.iter().map(|grant| port_of(grant)).collect::<BTreeSet<_>>(), *ports);
    let [release] = named(spans, "release", SpanId::INVALID)[..] else { panic!("{spans:#?}") };
    assert!(named(spans, "release", release.span_context.span_id()).len() >= 3);
}

#[tokio::test]
async fn one_acquire_over_five_nodes_is_one_parent_with_a_child_for_each_node() {
    let mut servers: Vec<Daemon> = (0..5).map(|_| redis()).collect();
    let urls: Vec<String> = servers.iter().map(|server| format!("redis://127.0.0.1:{}", server.port)).collect();
    let redlock = Redlock::builder().urls(urls).new_installation(true).connect().await.unwrap();
    deadline::eventually(LIMIT, "all nodes are ready", async || {
        redlock.look().await;
        redlock.nodes().iter().all(|node| node.condition == redfence::NodeCondition::Ready)
    })
    .await;
    // Levels the counters, so that the next acquire needs no seals.
    drop(redlock.acquire("order/42").await.unwrap().release().await);
    redlock.drain(Duration::from_secs(1)).await;

    let exporter = InMemorySpanExporter::default();
    let provider = export_to(exporter.clone()).unwrap();
    let token = acquire_once(&redlock, "order/42").await.unwrap();
    let mut spans = Vec::new();
    deadline::eventually(LIMIT, "the spans of all answers are exported", async || {
        spans = exporter.get_finished_spans().unwrap();
        spans.iter().filter(|span| span.name == "grant").count() == 5
    })
    .await;

    let ports = servers.iter().map(|server| server.port).collect();
    is_one_acquire(&spans, token, &ports);

    // A node that is gone is an error of its request, and none of the acquire.
    exporter.reset();
    drop(servers.pop());
    acquire_once(&redlock, "order/42").await.unwrap();
    let failed = |span: &SpanData| span.name == "grant" && matches!(span.status, Status::Error { .. });
    deadline::eventually(LIMIT, "the request to the node that is gone has failed", async || {
        spans = exporter.get_finished_spans().unwrap();
        spans.iter().any(failed)
    })
    .await;
    let fault = spans.iter().find(|span| failed(span)).unwrap();
    assert_eq!(attribute(fault, "redfence.reply"), Some(&Value::from("failed")));
    assert!(attribute(fault, "error.type").is_some());
    assert!(spans.iter().any(|span| span.name == "acquire" && span.status == Status::Unset));

    // A task that releases asks the nodes for the task that waits: the requests belong to the call that waits.
    let held = redlock.acquire("order/42").await.unwrap();
    let waiting = tokio::spawn({
        let redlock = redlock.clone();
        async move { redlock.acquire("order/42").await.unwrap() }
    });
    // One thread: the task runs until it waits.
    tokio::task::yield_now().await;
    exporter.reset();
    drop(held.release().await);
    drop(waiting.await.unwrap().release().await);
    deadline::eventually(LIMIT, "the requests to a quorum are below the call that waited", async || {
        spans = exporter.get_finished_spans().unwrap();
        let calls = named(&spans, "acquire", SpanId::INVALID);
        calls.iter().any(|call| named(&spans, "grant", call.span_context.span_id()).len() >= 3)
    })
    .await;
    provider.shutdown().unwrap();
}
