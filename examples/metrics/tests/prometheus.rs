//! A real Prometheus scrapes the example: its alerts fire, and every query of the dashboard has data.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]
#![allow(clippy::indexing_slicing, reason = "JSON without a field that is read fails the test")]

#[path = "../../../fencing/support/daemon.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of it is for databases")]
mod daemon;
#[path = "../../../tests/support/deadline.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of it is for other tests")]
mod deadline;
#[path = "../../../tests/support/port.rs"]
#[allow(unreachable_pub, reason = "other tests use it from outside")]
mod port;
mod server;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use deadline::eventually;
use redfence::metrics::ALL;
use serde_json::Value;
use server::{Example, Prometheus, program};

/// Time for the first scrapes, with a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(90);

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn promtool(arguments: &[&str]) {
    let ran = Command::new(program("promtool")).args(arguments).current_dir(folder()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "promtool {arguments:?}:\n{said}");
}

#[test]
fn promtool_accepts_the_alerts_and_each_fires_when_it_should() {
    promtool(&["check", "rules", "--lint-fatal", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let (rules, tests) = (read("alerts.yml"), read("alerts_test.yml"));
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 9, "{alerts:?}");
    for alert in alerts {
        let fires = format!("alertname: {alert}\n        exp_alerts:");
        assert!(tests.contains(&fires), "alerts_test.yml has no case in which {alert} fires");
    }
}

#[tokio::test]
async fn every_query_of_the_dashboard_has_data_and_the_overrun_raises_its_alert() {
    let example = Example::start();
    let prometheus = Prometheus::start(example.port(), &folder().join("alerts.yml"));
    let queries = queries();
    let mut without: Vec<&Query> = queries.iter().collect();
    let mut last = Vec::new();
    eventually(LIMIT, "every query of the dashboard has data", async || {
        let mut left = Vec::new();
        last.clear();
        for query in &without {
            match prometheus.query(&query.expr).await {
                Ok(values) if values.iter().any(|value| value.is_finite()) => {}
                answer => {
                    last.push(format!("{}: {} gives {answer:?}", query.panel, query.expr));
                    left.push(*query);
                }
            }
        }
        without = left;
        without.is_empty()
    })
    .await;

    // The tasks of the example do what their comments say.
    for (what, query) in [
        ("orders are contended for", r#"sum(redfence_wait_seconds_count{resource="order/{id}"}) > 10"#),
        ("reports are renewed", r#"redfence_renewals_total{resource="report/{name}",outcome="extended"} > 0"#),
        ("the impatient task gives up", r#"redfence_acquire_seconds_count{outcome="cancelled"} > 0"#),
        ("the careless task overruns", r#"redfence_overrun_seconds_count{resource="order/{id}"} > 0"#),
        ("its lease expires", r#"redfence_losses_total{resource="order/{id}",cause="expired"} > 0"#),
        ("its writes are refused", r#"redfence_stale_tokens_total{store="memory"} > 0"#),
        ("five nodes are ready", r#"sum(redfence_node_state{state="ready"}) == 5"#),
        ("an alert fires", r#"ALERTS{alertname="RedfenceOverrun",alertstate="firing"}"#),
    ] {
        eventually(LIMIT, what, async || prometheus.query(query).await.is_ok_and(|values| !values.is_empty())).await;
    }
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let shown: BTreeSet<String> = queries().iter().flat_map(|query| names(&query.expr)).collect();
    let all: BTreeSet<String> = ALL.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(shown, all);
}

/// The metrics that a query names.
fn names(expr: &str) -> impl Iterator<Item = String> {
    let words = expr.split(|c: char| c != '_' && !c.is_ascii_alphanumeric());
    words.filter(|word| word.starts_with("redfence_")).map(|word| {
        let parts = ["_bucket", "_count", "_sum"];
        parts.iter().find_map(|part| word.strip_suffix(part)).unwrap_or(word).to_owned()
    })
}

struct Query {
    panel: String,
    expr: String,
}

/// What the panels of the dashboard ask, with its variables filled in.
fn queries() -> Vec<Query> {
    let file: PathBuf = folder().join("dashboard.json");
    let dashboard: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap();
            let expr = expr.replace("$__rate_interval", "10s").replace("$resource", ".*");
            assert!(!expr.contains('$'), "a variable that this test does not know: {expr}");
            queries.push(Query { panel: panel["title"].as_str().unwrap().to_owned(), expr });
        }
    }
    assert!(queries.len() >= 15, "{}", queries.len());
    queries
}
