//! A claimed store over the adapter, for the contract suite.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot set its stage has failed, and says so by panicking"
)]

#[path = "../../../support/mod.rs"]
pub mod support;

pub mod line;

use etcd_client::{Client, GetOptions, KvClient, Txn, TxnOp, TxnOpResponse};
use redfence::{FencingToken, Resource};
use redfence_claim::testing::{Answer, Claimed, ClaimedStore, Delivery, Refusal};
use redfence_etcd::{Claim, claim, highest, key};
use tokio::runtime::{Builder, Runtime};

use line::Line;
use support::Etcd;

pub fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

pub struct Store {
    pub server: Etcd,
    pub runtime: Runtime,
    pub client: Client,
}

struct Open<'a> {
    store: &'a Store,
    resource: Resource,
    claim: Claim,
    client: KvClient,
    late: Option<Line>,
}

pub fn failed(error: etcd_client::Error) -> Refusal {
    Refusal::Failed(error.to_string())
}

pub fn resource(name: &str) -> Answer<Resource> {
    Resource::new(name).map_err(|error| Refusal::Failed(error.to_string()))
}

pub fn value_key(resource: &Resource) -> String {
    format!("value/{}", resource.as_str())
}

fn parts_key(resource: &Resource) -> String {
    format!("parts/{}/", resource.as_str())
}

impl Store {
    pub fn start() -> Self {
        let (server, runtime) = (Etcd::start(), runtime());
        let client = runtime.block_on(Client::connect([server.url()], None)).expect("a client");
        Self { server, runtime, client }
    }
}

impl ClaimedStore for Store {
    fn claim(&self, name: &str, token: FencingToken) -> Answer<Box<dyn Claimed + '_>> {
        let (resource, mut client) = (resource(name)?, self.client.kv_client());
        let claim = self.runtime.block_on(claim(&mut client, &resource, token))?;
        Ok(Box::new(Open { store: self, resource, claim, client, late: None }))
    }

    fn highest(&self, name: &str) -> Answer<Option<FencingToken>> {
        Ok(self.runtime.block_on(highest(&mut self.client.kv_client(), &resource(name)?))?)
    }

    fn read(&self, name: &str) -> Answer<Option<i64>> {
        let key = value_key(&resource(name)?);
        let mut found = self.runtime.block_on(self.client.kv_client().get(key, None)).map_err(failed)?;
        let value = found.take_kvs().pop();
        value
            .map(|value| {
                value.value_str().map_err(failed)?.parse().map_err(|_| Refusal::Failed("no number".to_owned()))
            })
            .transpose()
    }

    fn parts(&self, name: &str) -> Answer<usize> {
        let all = GetOptions::new().with_prefix();
        let key = parts_key(&resource(name)?);
        let found = self.runtime.block_on(self.client.kv_client().get(key, Some(all))).map_err(failed)?;
        Ok(found.kvs().len())
    }

    fn remove_fence(&self, name: &str) -> Answer<()> {
        self.runtime.block_on(self.client.kv_client().delete(key(&resource(name)?), None)).map(|_| ()).map_err(failed)
    }
}

impl Open<'_> {
    fn commit(&mut self, ops: Vec<TxnOp>) -> Answer<()> {
        let txn = Txn::new().and_then(ops);
        let own = self.store.runtime.block_on(self.claim.commit(&mut self.client, txn))?;
        if own.succeeded() {
            Ok(())
        } else {
            Err(Refusal::Failed("a transaction without comparisons failed".to_owned()))
        }
    }

    fn put(&self, value: i64) -> TxnOp {
        TxnOp::put(value_key(&self.resource), value.to_string(), None)
    }
}

impl Claimed for Open<'_> {
    fn read(&mut self) -> Answer<Option<i64>> {
        self.store.read(self.resource.as_str())
    }

    fn write(&mut self, value: i64) -> Answer<()> {
        self.commit(vec![self.put(value)])
    }

    fn write_batch(&mut self, value: i64) -> Answer<()> {
        let part = TxnOp::put(format!("{}{value}", parts_key(&self.resource)), "part", None);
        self.commit(vec![self.put(value), part])
    }

    fn delete(&mut self) -> Answer<()> {
        self.commit(vec![TxnOp::delete(value_key(&self.resource), None)])
    }

    fn again(&mut self) -> Answer<()> {
        Ok(self.store.runtime.block_on(self.claim.again(&mut self.client))?)
    }

    fn write_unheard(&mut self, value: i64, delivery: Delivery) -> Option<Answer<()>> {
        // The client repeats no transaction by itself.
        if delivery == Delivery::Twice {
            return None;
        }
        let line = Line::to(self.store.server.port());
        let url = format!("http://127.0.0.1:{}", line.port);
        let client = self.store.runtime.block_on(Client::connect([url], None)).expect("a client on the line");
        line.hold("value/");
        let direct = std::mem::replace(&mut self.client, client.kv_client());
        let answer = self.write(value);
        self.client = direct;
        assert!(line.has_held(), "the transaction was not seen on its way");
        match delivery {
            Delivery::Now => line.deliver(),
            Delivery::Late => self.late = Some(line),
            _ => {}
        }
        Some(answer)
    }

    fn deliver(&mut self) {
        if let Some(line) = self.late.take() {
            line.deliver();
        }
    }

    fn crash(self: Box<Self>) {}
}

/// The responses to the caller's own operations.
pub fn got(answer: &etcd_client::TxnResponse) -> Vec<String> {
    let values = answer.op_responses().into_iter().filter_map(|response| match response {
        TxnOpResponse::Get(mut got) => got.take_kvs().pop().map(|found| found.value_str().unwrap().to_owned()),
        _ => None,
    });
    values.collect()
}
