//! A fence in Redis or Valkey: admission alone.

use std::path::Path;

use redfence::verifier::{RedisStore, Rule, TokenStore as _, Verdict};
use redis::{AsyncConnectionConfig, Client, ClientTlsConfig, TlsCertificates};

use super::refusal::Refusal;
use crate::args::{AdmitArgs, Global};

pub(super) const NO_COMMAND: &str = "Redis holds nothing for a client, so no command can be atomic with the check there: between the two a \
     newer holder may write. Leave the command out and take this for admission only; write with a script behind the check \
     (redfence-redis, from any language); or name a file or a database";

/// Admits.
pub(super) async fn admit(url: &str, args: &AdmitArgs, global: &Global) -> Result<(), Refusal> {
    // Says what is wrong with a URL in words that have nothing of it.
    redfence::node::redis::Address::parse(url).map_err(|error| Refusal::Usage(format!("--store: {error}")))?;
    let client = client(url, global).map_err(|error| Refusal::NoVerdict(error.to_string()))?;
    // The one bound is --wait, for all of it.
    let limits = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let prefix = global.key_prefix.as_deref().unwrap_or("redfence");
    let asked = async {
        let connection = client.get_multiplexed_async_connection_with_config(&limits).await;
        let store = RedisStore::with_prefix(connection.map_err(|error| error.to_string())?, prefix);
        store.admit(&args.resource, args.token, Rule::AcceptEqual).await.map_err(|error| error.reason)
    };
    match tokio::time::timeout(args.wait, asked).await {
        Ok(Ok(Verdict::Admitted)) => Ok(()),
        Ok(Ok(Verdict::Stale { highest })) => Err(Refusal::Stale(highest)),
        Ok(Err(reason)) => Err(Refusal::NoVerdict(reason)),
        Err(_) => Err(Refusal::NoVerdict(format!("no answer within {:?}", args.wait))),
    }
}

fn client(url: &str, global: &Global) -> Result<Client, redis::RedisError> {
    let read = |path: &Option<std::path::PathBuf>| path.as_deref().map(read).transpose();
    let (authorities, cert, key) = (read(&global.ca_file)?, read(&global.cert)?, read(&global.key)?);
    if !url.starts_with("rediss:") {
        return Client::open(url);
    }
    let client_tls = cert.zip(key).map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    Client::build_with_tls(url, TlsCertificates { client_tls, root_cert: authorities })
}

fn read(path: &Path) -> Result<Vec<u8>, redis::RedisError> {
    std::fs::read(path)
        .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display())).into())
}
