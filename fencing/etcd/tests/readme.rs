//! The program of the README, on a real server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

#[path = "../examples/etcd_count.rs"]
#[allow(dead_code, reason = "its main connects to a server that is there already")]
mod count;
mod stage;

use redfence::{EmbeddedNode, Redlock, Resource};

#[test]
fn the_program_is_the_one_in_the_readme() {
    let readme = include_str!("../README.md");
    let program = readme.split("```").find_map(|part| part.strip_prefix("rust,no_run\n")).expect("a program");
    let (_, example) = include_str!("../examples/etcd_count.rs").split_once("\n\n").expect("a title, then the program");
    assert_eq!(example.trim(), program.trim());
}

#[test]
fn it_adds_one_each_time() {
    let store = stage::Store::start();
    store.runtime.block_on(async {
        let nodes = [EmbeddedNode::new(), EmbeddedNode::new(), EmbeddedNode::new()];
        let redlock = nodes.into_iter().fold(Redlock::builder(), redfence::Builder::node).build().unwrap();
        let (mut kv, count) = (store.client.kv_client(), Resource::new("count").unwrap());
        for expected in 1..=3 {
            assert_eq!(count::add_one(&redlock, &mut kv, &count).await.unwrap(), expected);
        }
    });
}
