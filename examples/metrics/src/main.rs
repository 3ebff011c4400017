//! Tasks that contend for a few resources, and a page of metrics for Prometheus.
//!
//! ```console
//! $ cargo run -p metrics-example -- 127.0.0.1:9187
//! $ cargo run -p metrics-example -- 127.0.0.1:9187 redis://a:6379 redis://b:6379 redis://c:6379
//! $ curl http://127.0.0.1:9187/metrics
//! ```

mod work;

use std::error::Error;
use std::net::SocketAddr;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use redfence::metrics::BUCKETS;
use redfence::{Builder, EmbeddedNode, Redlock, Resource};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:9187").parse()?;
    let urls: Vec<String> = arguments.collect();

    // Before any locker is built: lockers ask the recorder for their counters then.
    PrometheusBuilder::new()
        .with_http_listener(listen)
        .set_buckets_for_metric(Matcher::Prefix("redfence_".to_owned()), BUCKETS)?
        .install()?;

    let nodes: Vec<_> = (0..5).map(|_| EmbeddedNode::new()).collect();
    let (here, there) = (locker(&urls, &nodes, |builder| builder), locker(&urls, &nodes, |builder| builder));
    let careless = locker(&urls, &nodes, |builder| builder.renewed(false).ttl(work::CARELESS_TTL));
    println!("http://{listen}/metrics");
    work::forever(here.await?, there.await?, careless.await?).await;
    Ok(())
}

/// A locker as a process of its own would have it.
async fn locker(
    urls: &[String],
    nodes: &[EmbeddedNode],
    settings: impl FnOnce(Builder) -> Builder,
) -> Result<Redlock, Box<dyn Error>> {
    let builder = settings(Redlock::builder()).metrics_label(label);
    Ok(match urls {
        [] => nodes.iter().cloned().fold(builder, Builder::node).build()?,
        urls => builder.urls(urls).connect().await?,
    })
}

/// What stands in the label in place of the name.
fn label(resource: &Resource) -> &'static str {
    match resource.as_str().split_once('/') {
        Some(("order", _)) => "order/{id}",
        Some(("report", _)) => "report/{name}",
        _ => "other",
    }
}
