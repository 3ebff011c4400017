//! A claimed store over the adapter, for the contract suite.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set its stage has failed, and says so by panicking"
)]

#[path = "../../../support/mod.rs"]
pub mod support;

pub mod line;
pub mod wire;

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use redfence::FencingToken;
use redfence_claim::testing::{Answer, Claimed, ClaimedStore, Delivery, Mutant, Mutation, Refusal, check};
use redfence_object_store::{Claim, FencedStore};
use tokio::runtime::{Builder, Runtime};

use line::Line;

pub fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// The adapter over `store`, on a line whose answers can be lost.
pub struct Store {
    pub runtime: Runtime,
    pub store: Arc<dyn ObjectStore>,
    pub fenced: FencedStore,
    line: Arc<Line>,
}

struct Open<'a> {
    store: &'a Store,
    claim: Claim,
}

fn failed(error: object_store::Error) -> Refusal {
    Refusal::Failed(error.to_string())
}

/// One part, so that names are compared byte by byte.
pub fn object(name: &str) -> Path {
    Path::from_iter(["fences", name])
}

fn number(text: &[u8]) -> Answer<i64> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Refusal::Failed(format!("the content is {text:?}")))
}

impl Store {
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        let (runtime, line) = (runtime(), Arc::new(Line::to(Arc::clone(&store))));
        let (probed, probe) = (Arc::clone(&line) as Arc<dyn ObjectStore>, Path::from("probe"));
        let fenced = runtime.block_on(FencedStore::open(probed, &probe)).expect("a store that keeps conditions");
        Self { runtime, store, fenced, line }
    }
}

impl ClaimedStore for Store {
    fn claim(&self, name: &str, token: FencingToken) -> Answer<Box<dyn Claimed + '_>> {
        let claim = self.runtime.block_on(self.fenced.claim(&object(name), token))?;
        Ok(Box::new(Open { store: self, claim }))
    }

    fn highest(&self, name: &str) -> Answer<Option<FencingToken>> {
        let found = self.runtime.block_on(self.fenced.read(&object(name)))?;
        Ok(found.map(|found| found.highest))
    }

    fn read(&self, name: &str) -> Answer<Option<i64>> {
        let found = self.runtime.block_on(self.fenced.read(&object(name)))?;
        found.and_then(|found| found.content).map(|content| number(&content)).transpose()
    }

    fn parts(&self, name: &str) -> Answer<usize> {
        let folder = Path::parse(format!("{}.parts", object(name))).expect("a path");
        let parts = self.runtime.block_on(self.store.list(Some(&folder)).try_collect::<Vec<_>>()).map_err(failed)?;
        Ok(parts.len())
    }

    fn remove_fence(&self, name: &str) -> Answer<()> {
        match self.runtime.block_on(self.store.delete(&object(name))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Claimed for Open<'_> {
    fn read(&mut self) -> Answer<Option<i64>> {
        self.claim.content().map(|content| number(content)).transpose()
    }

    fn write(&mut self, value: i64) -> Answer<()> {
        Ok(self.store.runtime.block_on(self.claim.write(value.to_string()))?)
    }

    fn write_batch(&mut self, value: i64) -> Answer<()> {
        self.store.runtime.block_on(async {
            self.claim.stage("part", "large".into()).await?;
            Ok(self.claim.write(value.to_string()).await?)
        })
    }

    fn delete(&mut self) -> Answer<()> {
        Ok(self.store.runtime.block_on(self.claim.delete())?)
    }

    fn again(&mut self) -> Answer<()> {
        self.store.runtime.block_on(self.claim.again())?;
        Ok(())
    }

    fn write_unheard(&mut self, value: i64, delivery: Delivery) -> Option<Answer<()>> {
        self.store.line.next_put(delivery);
        Some(self.write(value))
    }

    fn deliver(&mut self) {
        self.store.runtime.block_on(self.store.line.deliver());
    }

    fn crash(self: Box<Self>) {}
}

/// The suite must refuse every mutant.
pub fn mutants_fall(store: &dyn ClaimedStore, mutations: &[Mutation]) {
    for &mutation in mutations {
        falls(&Mutant { store, mutation }, &format!("{mutation:?}"));
    }
}

pub fn falls(store: &dyn ClaimedStore, what: &str) {
    support::falls(what, check(store, what));
}
