//! Builds a locker from the flags.

use std::sync::Arc;
use std::time::Duration;

use redfence::node::redis::{Address, Prefix, RedisNode, RedisNodeOptions};
use redfence::{Builder, ConfigError, Entropy, NodeId, Redlock};

use crate::args::Global;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long to wait until the last requests have reached the nodes that no quorum waited for.
pub(crate) const DRAIN_MAX: Duration = Duration::from_millis(250);

const NO_NODES: &str = "no nodes: pass --nodes redis://host:6379,... or set REDFENCE_NODES";

/// A builder with all settings and the nodes.
pub(crate) fn to_servers(global: &Global) -> Result<Builder, Failure> {
    let urls = urls(global);
    if urls.is_empty() {
        return Err(Failure::new(Exit::Usage, NO_NODES));
    }
    let mut builder = settings(global).urls(urls);
    if let Some(prefix) = &global.key_prefix {
        builder = builder.prefix(prefix);
    }
    if let Some(style) = &global.key_style {
        builder = builder.key_style(style.clone());
    }
    if let Some(ca_file) = &global.ca_file {
        builder = builder.ca_file(ca_file);
    }
    if let (Some(cert), Some(key)) = (&global.cert, &global.key) {
        builder = builder.client_certificate(cert, key);
    }
    if let Some(name) = &global.sni {
        builder = builder.server_name(name);
    }
    Ok(builder)
}

/// A builder with all settings but without the nodes.
pub(crate) fn settings(global: &Global) -> Builder {
    let mut builder = Redlock::builder();
    if let Some(node_timeout) = global.node_timeout {
        builder = builder.node_timeout(node_timeout);
    }
    if let Some(anchor) = global.anchor {
        builder = builder.anchor(NodeId::new(usize::from(anchor) - 1));
    }
    builder = builder.durable(global.durable);
    if let Some(max_ttl) = global.max_ttl {
        builder = builder.max_ttl(max_ttl);
    }
    builder
}

/// The URLs of the command line or the environment. An empty variable has none.
pub(crate) fn urls(global: &Global) -> Vec<&str> {
    global.nodes.iter().map(|url| url.trim()).filter(|url| !url.is_empty()).collect()
}

/// The names of keys.
pub(crate) fn prefix(global: &Global) -> Result<Prefix, ConfigError> {
    let prefix = match &global.key_prefix {
        Some(prefix) => Prefix::new(prefix).ok_or_else(|| ConfigError::Prefix(prefix.clone()))?,
        None => Prefix::default(),
    };
    Ok(prefix.with_style(global.key_style.clone().unwrap_or_default()))
}

/// The nodes one by one. Each is dialled once, and also returned if that failed, for commands that report failures.
///
/// [`to_servers`] and `connect` find contradictions; this function does not.
pub(crate) async fn each_node(global: &Global) -> Result<Vec<RedisNode>, Failure> {
    let prefix = prefix(global)?;
    let entropy = Arc::new(Entropy::from_system());
    let options = RedisNodeOptions {
        prefix,
        ca_file: global.ca_file.clone(),
        client_certificate: global.cert.clone().zip(global.key.clone()),
        server_name: global.sni.clone(),
        entropy,
        ..RedisNodeOptions::default()
    };
    // All URLs are read before the first dial. If a password contains a comma, the list is cut there, and the part
    // after it is not a URL.
    let address =
        |(index, url)| Address::parse(url).map_err(|reason| ConfigError::Address { position: index + 1, reason });
    let addresses = urls(global).into_iter().enumerate().map(address).collect::<Result<Vec<_>, _>>()?;
    let open = |address| RedisNode::open(address, options.clone()).map_err(ConfigError::from);
    let nodes = addresses.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
    for node in &nodes {
        // All nodes dial at once, so this takes as long as the slowest. A failed dial is reported when the node is
        // asked.
        let _ = node.dialled().await;
    }
    Ok(nodes)
}
