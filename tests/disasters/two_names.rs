//! Two URLs for one server.

use std::time::Duration;

use redfence::{AcquireError, Builder, ConnectError, Redlock};

use crate::support::{Proxy, RedisServer, servers};

/// What happens to a set of `nodes` URLs if all but a minority lead to one server.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    Refused,
    /// The set was accepted, and after the loss of that one server no locker could acquire.
    StoppedByOneServer,
    /// The set was accepted, and worked without that server.
    Works,
}

/// Without protection the servers do not say who they are: INFO is forbidden.
pub async fn run(nodes: usize, protected: bool) -> Delivery {
    let mut servers = tokio::task::block_in_place(|| servers(1 + nodes / 2));
    if !protected {
        servers.iter().for_each(|server| {
            assert_eq!(server.command(&["ACL", "SETUSER", "default", "-info"]), "OK");
        });
    }
    let other_names: Vec<Proxy> = (servers.len()..nodes).map(|_| Proxy::in_front_of(servers[0].port())).collect();
    let locker = match builder(&servers, &other_names).connect().await {
        Err(ConnectError::SameServer { .. }) => return Delivery::Refused,
        outcome => outcome.expect("a locker"),
    };
    drop(locker.acquire("r").await.expect("a quorum of names").release().await);
    servers[0].kill();
    match locker.acquire_within("r", Duration::from_millis(500)).await {
        Err(AcquireError::NoQuorum { .. }) => Delivery::StoppedByOneServer,
        Err(other) => panic!("{other}"),
        Ok(_) => Delivery::Works,
    }
}

fn builder(servers: &[RedisServer], other_names: &[Proxy]) -> Builder {
    Redlock::builder().urls(servers.iter().map(RedisServer::url)).urls(other_names.iter().map(Proxy::url))
}
