//! A fenced store over the adapter, for the contract suite.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set its stage has failed, and says so by panicking"
)]

#[path = "../../../support/mod.rs"]
pub mod support;

use redfence_sql::testing::{FencedStore, Mutant, Mutation, check};

pub fn mutants_fall(store: &dyn FencedStore, but: &[Mutation]) {
    for mutation in Mutation::ALL.into_iter().filter(|mutation| !but.contains(mutation)) {
        let what = format!("{mutation:?}");
        support::falls(&what, check(&Mutant { store, mutation }, &what));
    }
}

/// [`redfence_sql::testing::Session`] for one database of diesel.
///
/// A session stays open between the calls, so it takes the steps of `transaction` one by one.
#[macro_export]
macro_rules! session {
    ($connection:ident, $adapter:ident, $statements:ident, put: $put:expr, read: $read:expr, delete: $delete:expr) => {
        #[derive(QueryableByName)]
        struct Number {
            #[diesel(sql_type = BigInt)]
            number: i64,
        }

        impl Session for Open {
            fn admit(&mut self, resource: &Resource, token: FencingToken) -> Answer<()> {
                Ok($adapter::admit(&mut self.connection, resource, token)?)
            }

            fn highest(&mut self, resource: &Resource) -> Answer<Option<FencingToken>> {
                Ok($adapter::highest(&mut self.connection, resource)?)
            }

            fn write(&mut self, id: &str, value: i64) -> Answer<()> {
                let put = sql_query($put).bind::<Text, _>(id).bind::<BigInt, _>(value);
                put.execute(&mut self.connection).map_err(refused)?;
                Ok(())
            }

            fn read(&mut self, id: &str) -> Answer<Option<i64>> {
                let read = sql_query($read).bind::<Text, _>(id).get_result(&mut self.connection);
                Ok(read.optional().map_err(refused)?.map(|Number { number }| number))
            }

            fn update(&mut self, id: &str, token: FencingToken, value: i64) -> Answer<()> {
                let update = sql_query($statements::EXAMPLE_UPDATE).bind::<Text, _>(id);
                let update = update.bind::<BigInt, _>(bigint(token)).bind::<BigInt, _>(value);
                let rows = update.execute(&mut self.connection).map_err(refused)?;
                let why = format!(
                    "SELECT token AS number FROM ({}) AS why",
                    $statements::EXAMPLE_HIGHEST.lines().last().unwrap()
                );
                Ok($adapter::judge_rows(&mut self.connection, token, rows, |connection| {
                    let row: Number = sql_query(why).bind::<Text, _>(id).get_result(connection)?;
                    Ok(row.number)
                })?)
            }

            fn delete(&mut self, id: &str) -> Answer<()> {
                sql_query($delete).bind::<Text, _>(id).execute(&mut self.connection).map_err(refused)?;
                Ok(())
            }

            fn commit(mut self: Box<Self>) -> Answer<()> {
                Ok(AnsiTransactionManager::commit_transaction(&mut self.connection).map_err(unanswered)?)
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
    };
}
