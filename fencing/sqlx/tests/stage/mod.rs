//! A fenced store over the adapter, for the contract suite.

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

use redfence_sql::testing::{FencedStore, Mutant, Mutation, Refusal, check};
use tokio::runtime::{Builder, Runtime};

pub fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

pub fn failed(error: sqlx::Error) -> Refusal {
    Refusal::Failed(error.to_string())
}

/// The suite must refuse every mutant.
pub fn mutants_fall(store: &dyn FencedStore, mutations: &[Mutation]) {
    for &mutation in mutations {
        falls(&Mutant { store, mutation }, &format!("{mutation:?}"));
    }
}

pub fn falls(store: &dyn FencedStore, what: &str) {
    support::falls(what, check(store, what));
}

/// A statement with a part that is wrong.
pub fn wrong_statement(whole: &str, part: &str, with: &str) -> Option<String> {
    let wrong = whole.replace(part, with);
    assert_ne!(wrong, whole, "{part:?} is not in the statement");
    Some(wrong)
}

/// [`redfence_sql::testing::Session`] for one database of sqlx.
#[macro_export]
macro_rules! session {
    ($database:ident, $adapter:ident, $statements:ident, put: $put:expr, read: $read:expr, delete: $delete:expr,
     update: |$id:ident, $token:ident, $value:ident| $update:expr) => {
        impl Session for Open<'_> {
            fn admit(&mut self, resource: &Resource, token: FencingToken) -> Answer<()> {
                let statement = self.store.admit.as_deref();
                self.store.runtime.block_on(async {
                    match statement {
                        None => {
                            Ok(redfence_sqlx::$adapter::admit(self.transaction.as_mut().unwrap(), resource, token)
                                .await?)
                        }
                        Some(wrong) => wrong_admit(self.transaction.as_mut().unwrap(), wrong, resource, token).await,
                    }
                })
            }

            fn highest(&mut self, resource: &Resource) -> Answer<Option<FencingToken>> {
                let transaction = self.transaction.as_mut().unwrap();
                Ok(self.store.runtime.block_on(redfence_sqlx::$adapter::highest(transaction, resource))?)
            }

            fn write(&mut self, id: &str, value: i64) -> Answer<()> {
                let query = sqlx::query::<$database>($put).bind(id).bind(value);
                self.run(query)
            }

            fn read(&mut self, id: &str) -> Answer<Option<i64>> {
                let transaction: &mut <$database as sqlx::Database>::Connection = self.transaction.as_mut().unwrap();
                let query = sqlx::query_scalar::<$database, i64>($read).bind(id);
                self.store.runtime.block_on(query.fetch_optional(transaction)).map_err(refused)
            }

            fn update(&mut self, $id: &str, token: FencingToken, $value: i64) -> Answer<()> {
                let $token = BigInt(token);
                let highest = sqlx::query_scalar($statements::EXAMPLE_HIGHEST).bind($id);
                let transaction = self.transaction.as_mut().unwrap();
                Ok(self.store.runtime.block_on(redfence_sqlx::$adapter::update(
                    transaction,
                    token,
                    $update,
                    highest,
                ))?)
            }

            fn delete(&mut self, id: &str) -> Answer<()> {
                self.run(sqlx::query::<$database>($delete).bind(id))
            }

            fn commit(mut self: Box<Self>) -> Answer<()> {
                let transaction = self.transaction.take().unwrap();
                Ok(self.store.runtime.block_on(redfence_sqlx::$adapter::commit(transaction))?)
            }

            fn crash(self: Box<Self>) {
                if let Some(line) = &self.line {
                    line.cut();
                }
            }

            fn commit_unheard(self: Box<Self>, arrives: bool) -> Option<Answer<()>> {
                self.line.as_ref()?.cut_at_commit(arrives);
                Some(self.commit())
            }
        }

        impl Open<'_> {
            fn run(
                &mut self,
                query: sqlx::query::Query<'_, $database, <$database as sqlx::Database>::Arguments>,
            ) -> Answer<()> {
                let transaction: &mut <$database as sqlx::Database>::Connection = self.transaction.as_mut().unwrap();
                self.store.runtime.block_on(query.execute(transaction)).map(|_| ()).map_err(refused)
            }
        }

        impl Drop for Open<'_> {
            fn drop(&mut self) {
                let _inside = self.store.runtime.enter();
                drop(self.transaction.take());
            }
        }
    };
}
