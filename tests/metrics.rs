//! What is measured: every metric of the list, with the labels and the values that its description promises.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use metrics::Unit;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use redfence::metrics::{ALL, Kind};
use redfence::verifier::{MemoryStore, RedisStore, Rule, Verdict, Verifier};
use redfence::{Builder, FencingToken, LossCause, Redlock, Resource};
use support::fault_node::is_extend;
use support::set::patiently_over;
use support::stage::WALL_AT_START;
use support::{Delivery, Hands, RedisServer, Stage, eventually, servers};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What was recorded since the last look, each as `name{key=value,…}`.
struct Recorded(BTreeMap<String, DebugValue>);

impl Recorded {
    fn of(recorder: &DebuggingRecorder) -> Self {
        let snapshot = recorder.snapshotter().snapshot().into_vec();
        Self(snapshot.into_iter().map(|(key, _, _, value)| (written(key.key()), value)).collect())
    }

    fn counter(&self, name: &str) -> u64 {
        match self.0.get(name) {
            Some(DebugValue::Counter(count)) => *count,
            other => panic!("{name}: {other:?} among {:#?}", self.0.keys()),
        }
    }

    fn gauge(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(DebugValue::Gauge(value)) => value.into_inner(),
            other => panic!("{name}: {other:?} among {:#?}", self.0.keys()),
        }
    }

    /// In milliseconds, as whole numbers: time is paused.
    fn times(&self, name: &str) -> Vec<u64> {
        match self.0.get(name) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they are small")]
            Some(DebugValue::Histogram(times)) => times.iter().map(|s| (s.into_inner() * 1e3).round() as u64).collect(),
            other => panic!("{name}: {other:?} among {:#?}", self.0.keys()),
        }
    }
}

fn written(key: &metrics::Key) -> String {
    let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
    format!("{}{{{}}}", key.name(), labels.join(","))
}

/// A locker that calls orders by a template.
fn labelled(builder: Builder) -> Redlock {
    let label = |resource: &Resource| if resource.as_str().starts_with("order/") { "order/{id}" } else { "else" };
    builder.metrics_label(label).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_life_is_measured_from_the_call_to_the_release() {
    let recorder = DebuggingRecorder::new();
    let _here = metrics::set_default_local_recorder(&recorder);
    let stage = Stage::of(3);
    let locker = labelled(stage.builder());
    let guard = locker.acquire("order/1").await.unwrap();
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.times("redfence_acquire_seconds{resource=order/{id},outcome=acquired}"), [0]);
    assert_eq!(recorded.times("redfence_wait_seconds{resource=order/{id}}"), [0]);
    // 10 s, less 1 % and 2 ms for drift.
    assert_eq!(recorded.times("redfence_validity_at_acquire_seconds{resource=order/{id}}"), [9_898]);
    assert_eq!(recorded.gauge("redfence_leases{resource=order/{id}}"), 1.0);
    for (number, node) in (1..).zip(locker.nodes()) {
        let labels = format!("node={number},address={}", node.address);
        assert_eq!(recorded.counter(&format!("redfence_votes_total{{{labels},vote=granted}}")), 1);
        assert_eq!(recorded.times(&format!("redfence_vote_seconds{{{labels}}}")), [0]);
        assert_eq!(recorded.gauge(&format!("redfence_node_state{{{labels},state=ready}}")), 1.0);
        assert_eq!(recorded.gauge(&format!("redfence_node_state{{{labels},state=resting}}")), 0.0);
        assert_eq!(recorded.gauge(&format!("redfence_node_clock_offset_seconds{{{labels}}}")), 0.0);
    }

    tokio::time::sleep(ms(5_000)).await;
    drop(guard.release().await);
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.counter("redfence_renewals_total{resource=order/{id},outcome=extended}"), 1);
    assert_eq!(recorded.times("redfence_hold_seconds{resource=order/{id}}"), [5_000]);
    let left = recorded.times("redfence_validity_at_release_seconds{resource=order/{id}}");
    // Renewed after a third of the validity: 3.3 s of the 5.
    assert!(left.len() == 1 && (8_000..8_400).contains(&left[0]), "{left:?}");
    assert_eq!(recorded.gauge("redfence_leases{resource=order/{id}}"), -1.0, "back to where it was");
    assert!(recorded.times("redfence_overrun_seconds{resource=order/{id}}").is_empty());
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_counted_and_so_is_every_outcome() {
    let recorder = DebuggingRecorder::new();
    let _here = metrics::set_default_local_recorder(&recorder);
    let stage = Stage::of(3);
    let (locker, other) = (labelled(stage.builder()), labelled(stage.builder()));
    let guard = locker.acquire("order/1").await.unwrap();
    let waiting = tokio::spawn({
        let locker = locker.clone();
        async move { locker.acquire("order/1").await }
    });
    tokio::time::sleep(ms(300)).await;
    assert_eq!(Recorded::of(&recorder).gauge("redfence_waiters{resource=order/{id}}"), 1.0);
    assert!(other.try_acquire("order/1").await.is_err());
    drop(guard.release().await);
    let handed_over = waiting.await.unwrap().unwrap();
    let recorded = Recorded::of(&recorder);
    let acquire =
        |outcome: &str| recorded.times(&format!("redfence_acquire_seconds{{resource=order/{{id}},outcome={outcome}}}"));
    assert_eq!(acquire("contended"), [0]);
    assert_eq!([acquire("acquired"), acquire("handed_over")].concat(), [300]);
    assert_eq!(recorded.times("redfence_wait_seconds{resource=order/{id}}"), [300]);
    assert_eq!(recorded.gauge("redfence_waiters{resource=order/{id}}"), -1.0, "nobody waits any more");
    drop(handed_over.release().await);

    let held = locker.acquire("something").await.unwrap();
    let cancelled = tokio::time::timeout(ms(70), locker.acquire("something")).await;
    assert!(cancelled.is_err());
    drop(held.release().await);
    stage.nodes[0].delivery(Delivery::Unreachable);
    stage.nodes[1].delivery(Delivery::Unreachable);
    assert!(locker.try_acquire("something").await.is_err());
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.times("redfence_acquire_seconds{resource=else,outcome=cancelled}"), [70]);
    assert_eq!(recorded.times("redfence_acquire_seconds{resource=else,outcome=no_quorum}").len(), 1);
    assert_eq!(recorded.gauge("redfence_waiters{resource=else}"), 0.0);
    let address = &locker.addresses()[0];
    assert_eq!(recorded.counter(&format!("redfence_votes_total{{node=1,address={address},vote=failed}}")), 1);
}

#[tokio::test(start_paused = true)]
async fn losses_have_a_cause_and_work_that_goes_on_is_an_overrun() {
    let recorder = DebuggingRecorder::new();
    let _here = metrics::set_default_local_recorder(&recorder);
    let stage = Stage::of(3);
    let locker = stage.builder().ttl(ms(1_000)).build().unwrap();
    let guard = locker.acquire("r").await.unwrap();
    stage.nodes.iter().for_each(|node| node.delivery_of(is_extend, Delivery::Unreachable));
    assert_eq!(guard.lost().await, LossCause::Expired);
    tokio::time::sleep(ms(250)).await;
    drop(guard.release().await);
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.counter("redfence_losses_total{resource=all,cause=expired}"), 1);
    assert!(recorded.counter("redfence_renewals_total{resource=all,outcome=no_quorum}") >= 1);
    assert_eq!(recorded.times("redfence_hold_seconds{resource=all}"), [988], "until the end of the validity");
    assert_eq!(recorded.times("redfence_overrun_seconds{resource=all}"), [250]);
    assert!(recorded.times("redfence_validity_at_release_seconds{resource=all}").is_empty());
    assert_eq!(recorded.gauge("redfence_leases{resource=all}"), 0.0);

    // A process that stood still drops its guard before any task has noticed.
    let hands = Hands::over(redfence::TokioClock::starting_at(WALL_AT_START));
    let stage = Stage::on(3, std::sync::Arc::clone(&hands) as _);
    let locker = stage.builder().ttl(ms(1_000)).build().unwrap();
    let guard = locker.acquire("r").await.unwrap();
    hands.advance(ms(1_988));
    drop(guard);
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.times("redfence_overrun_seconds{resource=all}"), [1_000]);
    assert_eq!(recorded.times("redfence_hold_seconds{resource=all}"), [988]);
    assert_eq!(recorded.gauge("redfence_leases{resource=all}"), 0.0);
}

#[tokio::test]
async fn nodes_have_a_state_and_a_clock() {
    let recorder = DebuggingRecorder::new();
    let _here = metrics::set_default_local_recorder(&recorder);
    let mut servers = servers(3);
    let locker = patiently_over(&servers).connect().await.unwrap();
    let address = locker.addresses()[0].clone();
    let state = |is: &str| format!("redfence_node_state{{node=1,address={address},state={is}}}");
    let recorded = Recorded::of(&recorder);
    assert_eq!((recorded.gauge(&state("ready")), recorded.gauge(&state("failing"))), (1.0, 0.0));
    let offset = recorded.gauge(&format!("redfence_node_clock_offset_seconds{{node=1,address={address}}}"));
    // One machine, so one clock: a second is what reading it may take where much else runs.
    assert!(offset != 0.0 && offset.abs() < 1.0, "{offset}");
    servers[0].kill();
    eventually(Duration::from_secs(10), "the locker sees that the node fails", async || {
        let recorded = Recorded::of(&recorder);
        recorded.gauge(&state("failing")) == 1.0 && recorded.gauge(&state("ready")) == 0.0
    })
    .await;
    drop(locker.acquire("r").await.unwrap().release().await);
    let vote = |vote: &str| format!("redfence_votes_total{{node=1,address={address},vote={vote}}}");
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.counter(&vote("failed")) + recorded.counter(&vote("not_asked")), 1);
}

#[tokio::test]
async fn stores_count_the_stale_tokens_that_they_refuse() {
    let recorder = DebuggingRecorder::new();
    let _here = metrics::set_default_local_recorder(&recorder);
    redfence::metrics::describe();
    let server = RedisServer::start();
    let client = redis::Client::open(server.url()).unwrap();
    let store = RedisStore::new(client.get_multiplexed_async_connection().await.unwrap());
    let (resource, token) = (Resource::new("ledger").unwrap(), |n| FencingToken::new(n).unwrap());
    assert_eq!(store.write(&resource, token(2), Rule::AcceptEqual, b"a").await.unwrap(), Verdict::Admitted);
    for _ in 0..3 {
        let stale = Verdict::Stale { highest: token(2) };
        assert_eq!(store.write(&resource, token(1), Rule::AcceptEqual, b"b").await.unwrap(), stale);
    }
    let verifier = Verifier::new(MemoryStore::new());
    assert_eq!(verifier.admit(&resource, token(2)).await.unwrap(), Verdict::Admitted);
    assert_ne!(verifier.admit(&resource, token(1)).await.unwrap(), Verdict::Admitted);
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.counter("redfence_stale_tokens_total{store=redis}"), 3);
    assert_eq!(recorded.counter("redfence_stale_tokens_total{store=memory}"), 1);
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_recorded_with_its_labels_its_unit_and_its_description() {
    let recorder = DebuggingRecorder::new();
    let _here = metrics::set_default_local_recorder(&recorder);
    let stage = Stage::of(1);
    drop(stage.locker().acquire("r").await.unwrap());
    redfence::metrics::stale_token("mine");
    let mut seen: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (key, unit, description, value) in recorder.snapshotter().snapshot().into_vec() {
        let name = key.key().name().to_owned();
        let metric = ALL.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} is in no list"));
        assert_eq!(description.as_deref(), Some(metric.description), "{name}");
        let kind = match value {
            DebugValue::Counter(_) => Kind::Counter,
            DebugValue::Gauge(_) => Kind::Gauge,
            DebugValue::Histogram(_) => Kind::Histogram,
        };
        assert_eq!(kind, metric.kind, "{name}");
        assert_eq!(unit, Some(if name.ends_with("_seconds") { Unit::Seconds } else { Unit::Count }), "{name}");
        seen.entry(name).or_default().insert(key.key().labels().map(|label| label.key().to_owned()).collect());
    }
    for metric in ALL {
        let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        assert_eq!(seen.get(metric.name), Some(&BTreeSet::from([labels])), "{}", metric.name);
    }
}

#[test]
fn the_page_lists_the_metrics_as_they_are() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `redfence_")).collect();
    let expected: Vec<String> = ALL
        .iter()
        .map(|metric| {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let kind = format!("{:?}", metric.kind).to_lowercase();
            format!("| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.description)
        })
        .collect();
    assert_eq!(rows, expected, "write docs/metrics.md as src/metrics.rs has it");
}
