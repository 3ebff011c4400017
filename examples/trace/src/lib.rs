//! Passes redfence's spans on to OpenTelemetry.

use std::error::Error;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter};
use redfence::{FencingToken, Redlock};
use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

/// From now on the spans of this process go to `exporter`.
///
/// # Errors
///
/// There is a subscriber already.
pub fn export_to(exporter: impl SpanExporter + 'static) -> Result<SdkTracerProvider, Box<dyn Error>> {
    let service = Resource::builder().with_service_name("trace-example").build();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter).with_resource(service).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("redfence"));
    // redfence's spans are of the level DEBUG.
    let only_redfence = Targets::new().with_target("redfence", Level::DEBUG);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer.with_filter(only_redfence)))?;
    Ok(provider)
}

/// Acquires once and releases; returns the token.
///
/// # Errors
///
/// The lease cannot be acquired.
pub async fn acquire_once(redlock: &Redlock, resource: &str) -> Result<FencingToken, Box<dyn Error>> {
    let guard = redlock.acquire(resource).await?;
    let token = guard.token();
    drop(guard.release().await);
    // Answers of nodes that no quorum waited for end the last spans.
    redlock.drain(Duration::from_secs(1)).await;
    Ok(token)
}
