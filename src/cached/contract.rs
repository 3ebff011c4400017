//! The suite that every [`CacheStore`] must pass.

use std::time::Duration;

use futures::future::join_all;

use super::fences::Fences;
use super::store::{CacheStore, Entry};
use crate::verifier::Verdict;
use crate::{FencingToken, Resource};

/// The rule that a store broke.
#[derive(Debug, thiserror::Error)]
#[error("the store breaks its contract: {0}")]
pub struct Broken(String);

/// Long enough for the slowest store.
const TTL: Duration = Duration::from_secs(3_600);
const TOOK: Duration = Duration::from_micros(1_234_567);

/// Runs the suite on `store`. `fresh` is a name that the store has never seen; the suite appends ` 2` and the like to it.
///
/// # Errors
///
/// [`Broken`] with the first rule that does not hold.
///
/// # Cancel safety
///
/// Leaves the values that it has stored so far.
pub async fn check<S: CacheStore>(store: &S, fresh: &str) -> Result<(), Broken> {
    let suite = Suite { store, fresh };
    suite.values_come_back_as_they_were_put().await?;
    suite.stale_tokens_are_refused().await?;
    suite.a_fence_outlives_its_value().await?;
    suite.removals_are_fenced_writes().await?;
    suite.check_and_write_are_one_step().await?;
    suite.fences_that_were_given_up_still_refuse().await
}

struct Suite<'a, S> {
    store: &'a S,
    fresh: &'a str,
}

impl<S: CacheStore> Suite<'_, S> {
    async fn values_come_back_as_they_were_put(&self) -> Result<(), Broken> {
        let (key, other) = (self.key("1")?, self.key("2")?);
        expect(self.get(&key).await?.is_none(), "a key that was never written has no entry")?;
        let values: [&[u8]; 3] = [b"", b"\0\r\n\xff", &[7; 100_000]];
        for (number, value) in (1..).zip(values) {
            let _ = self.put(&key, number, value).await?;
            let Some(found) = self.get(&key).await? else { return Err(broken("an entry that was put is there")) };
            let is_right = &*found.value == value && found.token == token(number)? && found.took == TOOK;
            expect(is_right, "value, token and computing time come back as they were put")?;
            expect(!found.ttl.is_zero() && found.ttl <= TTL, "an entry has some of its time to live left")?;
        }
        expect(self.get(&other).await?.is_none(), "keys are kept apart")
    }

    async fn stale_tokens_are_refused(&self) -> Result<(), Broken> {
        let (key, other) = (self.key("3")?, self.key("4")?);
        for (number, stored) in [(5, true), (4, false), (5, true), (6, true), (1, false), (5, false)] {
            let highest = self.get(&key).await?.map(|entry| entry.token);
            let verdict = self.put(&key, number, number.to_string().as_bytes()).await?;
            let expected = match highest {
                Some(highest) if !stored => Verdict::Stale { highest },
                _ => Verdict::Admitted,
            };
            expect(verdict == expected, "lower tokens are refused, and equal ones pass")?;
        }
        expect(self.value(&key).await?.as_deref() == Some(b"6"), "a refused value is not stored")?;
        expect(self.put(&other, 1, b"").await? == Verdict::Admitted, "keys are judged apart")
    }

    async fn a_fence_outlives_its_value(&self) -> Result<(), Broken> {
        let key = self.key("5")?;
        let short = Entry::new([1].into(), token(9)?, Duration::from_millis(20), TOOK);
        expect(self.offer(&key, &short).await? == Verdict::Admitted, "a new key accepts a token")?;
        let mut looks = 0;
        while self.get(&key).await?.is_some() {
            looks += 1;
            expect(looks < 200, "a value expires")?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let verdict = self.put(&key, 8, b"stale").await?;
        expect(verdict == Verdict::Stale { highest: token(9)? }, "the highest token outlives the value")?;
        expect(self.get(&key).await?.is_none(), "a refused value is not stored")?;
        expect(self.put(&key, 9, b"same").await? == Verdict::Admitted, "an equal token passes")
    }

    async fn removals_are_fenced_writes(&self) -> Result<(), Broken> {
        let (key, other) = (self.key("5 removed")?, self.key("5 never written")?);
        let _ = self.put(&key, 5, b"value").await?;
        let expected = Verdict::Stale { highest: token(5)? };
        expect(self.remove(&key, 4).await? == expected, "a removal with a lower token is refused")?;
        expect(self.value(&key).await?.as_deref() == Some(b"value"), "a refused removal removes nothing")?;
        for (key, number) in [(&key, 5), (&key, 7), (&other, 7)] {
            expect(self.remove(key, number).await? == Verdict::Admitted, "a removal with the highest token passes")?;
            expect(self.get(key).await?.is_none(), "a removed value is gone")?;
        }
        for key in [&key, &other] {
            let expected = Verdict::Stale { highest: token(7)? };
            expect(self.put(key, 6, b"stale").await? == expected, "the token of a removal is kept")?;
            expect(self.put(key, 8, b"newer").await? == Verdict::Admitted, "a newer value passes after a removal")?;
        }
        Ok(())
    }

    /// In both orders, as a store that checks first and writes later keeps what it wrote last.
    async fn check_and_write_are_one_step(&self) -> Result<(), Broken> {
        const MOST: u64 = 64;
        for name in ["6", "7"] {
            let key = self.key(name)?;
            let mut numbers: Vec<u64> = (1..=MOST).collect();
            if name == "7" {
                numbers.reverse();
            }
            let puts = numbers.into_iter().map(async |number| self.put(&key, number, &number.to_be_bytes()).await);
            for verdict in join_all(puts).await {
                let _ = verdict?;
            }
            let is_highest = self.value(&key).await?.as_deref() == Some(&MOST.to_be_bytes());
            expect(is_highest, "check and write are one step: the highest token's value stays")?;
        }
        Ok(())
    }

    async fn fences_that_were_given_up_still_refuse(&self) -> Result<(), Broken> {
        let first = self.key("8")?;
        let of_slot = (9..).map_while(|number: u64| self.key(&number.to_string()).ok());
        let others = of_slot.filter(|key| key.slot() == first.slot()).take(Fences::MOST + 1);
        let _ = self.put(&first, 2, b"first").await?;
        for (number, key) in (3..).zip(others) {
            expect(self.put(&key, number, b"").await? == Verdict::Admitted, "newer tokens of other keys pass")?;
        }
        let verdict = self.put(&first, 1, b"stale").await?;
        expect(
            matches!(verdict, Verdict::Stale { .. }),
            "a stale token is refused after many other keys were written",
        )?;
        expect(self.value(&first).await?.as_deref() == Some(b"first"), "a refused value is not stored")
    }

    fn key(&self, suffix: &str) -> Result<Resource, Broken> {
        Resource::new(format!("{} {suffix}", self.fresh)).map_err(|error| broken(&error.to_string()))
    }

    async fn get(&self, key: &Resource) -> Result<Option<Entry>, Broken> {
        self.store.get(key).await.map_err(|error| broken(&format!("it failed: {error}")))
    }

    async fn value(&self, key: &Resource) -> Result<Option<Vec<u8>>, Broken> {
        Ok(self.get(key).await?.map(|entry| entry.value.to_vec()))
    }

    async fn put(&self, key: &Resource, number: u64, value: &[u8]) -> Result<Verdict, Broken> {
        self.offer(key, &Entry::new(value.into(), token(number)?, TTL, TOOK)).await
    }

    async fn remove(&self, key: &Resource, number: u64) -> Result<Verdict, Broken> {
        let removed = self.store.remove(key, token(number)?).await;
        removed.map_err(|error| broken(&format!("it failed: {error}")))
    }

    async fn offer(&self, key: &Resource, entry: &Entry) -> Result<Verdict, Broken> {
        self.store.put(key, entry).await.map_err(|error| broken(&format!("it failed: {error}")))
    }
}

fn token(number: u64) -> Result<FencingToken, Broken> {
    FencingToken::new(number).map_err(|error| broken(&error.to_string()))
}

fn expect(holds: bool, rule: &str) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken(rule)) }
}

fn broken(rule: &str) -> Broken {
    Broken(rule.to_owned())
}
