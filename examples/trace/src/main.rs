//! Prints one acquire as a trace.
//!
//! ```console
//! $ cargo run -p trace-example -- redis://a:6379 redis://b:6379 redis://c:6379 redis://d:6379 redis://e:6379
//! ```

use std::error::Error;

use redfence::{Builder, EmbeddedNode, Redlock};
use trace_example::{acquire_once, export_to};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let urls: Vec<String> = std::env::args().skip(1).collect();
    let redlock = match urls.as_slice() {
        [] => (0..5).map(|_| EmbeddedNode::new()).fold(Redlock::builder(), Builder::node).build()?,
        urls => Redlock::connect(urls).await?,
    };
    let provider = export_to(opentelemetry_stdout::SpanExporter::default())?;
    acquire_once(&redlock, "order/42").await?;
    provider.shutdown()?;
    Ok(())
}
