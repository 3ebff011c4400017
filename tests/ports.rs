//! The ports of test servers: each is given out once, whatever else runs on the machine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set its stage has failed")]

mod support;

use std::collections::BTreeSet;
use std::fs::OpenOptions;

use support::port::{PORTS_PER_BLOCK, claim_port};
use support::{Proxy, RedisServer};

#[test]
fn a_port_is_given_out_once_and_never_as_an_outgoing_one() {
    let claimed: BTreeSet<u16> = (0..200).map(|_| claim_port()).collect();
    assert_eq!(claimed.len(), 200);
    for _ in 0..200 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!claimed.contains(&listener.local_addr().unwrap().port()));
    }
    for port in claimed {
        let block = port - port % PORTS_PER_BLOCK;
        let path = std::env::temp_dir().join(format!("redfence-test-ports-{block}"));
        let another = OpenOptions::new().write(true).open(path).unwrap();
        assert!(another.try_lock().is_err(), "another process could claim {port}");
    }
}

/// Ready means that this very process answers.
#[test]
fn a_server_whose_port_was_taken_meanwhile_is_not_back() {
    let mut server = RedisServer::start();
    let another = RedisServer::start();
    server.kill();
    let taken = Proxy::at(server.port(), another.port());
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.restart()));
    let said = outcome.unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(said.contains("did not come back on port") && said.contains("Address already in use"), "{said}");
    drop(taken);
    server.restart();
    assert_eq!(server.command(&["PING"]), "PONG");
}
