//! One contract, many implementations: every node and every token store passes the same suite.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use redfence::node::redis::{Address, RedisNode, RedisNodeOptions};
use redfence::node::{EmbeddedNode, contract};
use redfence::verifier::{self, MemoryStore, RedisStore};
use support::{RedisServer, TestCa};

#[tokio::test]
async fn an_embedded_node_keeps_the_contract() {
    contract::check(&EmbeddedNode::new(), "embedded").await.unwrap();
}

#[tokio::test]
async fn a_redis_node_keeps_the_contract() {
    let server = RedisServer::start();
    let node = open(&server.url(), RedisNodeOptions::default()).await;
    contract::check(&node, "tcp").await.unwrap();
}

#[tokio::test]
async fn a_redis_node_keeps_the_contract_over_a_unix_socket() {
    let server = RedisServer::with_unix_socket();
    let node = open(&server.unix_url(), RedisNodeOptions::default()).await;
    contract::check(&node, "unix").await.unwrap();
}

#[tokio::test]
async fn a_redis_node_keeps_the_contract_over_tls() {
    let ca = TestCa::new();
    let server = RedisServer::start_tls(&ca);
    let options = RedisNodeOptions { ca_file: Some(ca.ca_path()), ..RedisNodeOptions::default() };
    let node = open(&server.tls_url(), options).await;
    contract::check(&node, "tls").await.unwrap();
}

#[tokio::test]
async fn a_redis_node_keeps_the_contract_behind_a_password_and_in_another_database() {
    let server = RedisServer::with(&["--requirepass", "open sesame"]);
    let url = format!("redis://:open%20sesame@127.0.0.1:{}/3", server.port());
    let node = open(&url, RedisNodeOptions::default()).await;
    contract::check(&node, "password").await.unwrap();
    assert!(!format!("{node:?}").contains("sesame"));
}

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    verifier::contract::check(&MemoryStore::new(), "memory").await.unwrap();
}

#[tokio::test]
async fn the_redis_store_keeps_the_contract() {
    let server = RedisServer::start();
    let client = redis::Client::open(server.url()).unwrap();
    let store = RedisStore::new(client.get_multiplexed_async_connection().await.unwrap());
    verifier::contract::check(&store, "redis").await.unwrap();
}

async fn open(url: &str, options: RedisNodeOptions) -> RedisNode {
    let node = RedisNode::open(Address::parse(url).unwrap(), options).unwrap();
    node.dialled().await.unwrap();
    node
}
