//! [`FencedPipeline`]: several fenced writes in one round trip and one step.

use std::time::Duration;

use redis::Value;
use redis::aio::ConnectionLike;

use crate::{Fenced, WriteError};

/// How many writes a pipeline takes.
const WRITES_MAX: usize = 1_024;

/// Several writes of one holder in one script call: all of them are stale or none, and no other command runs in
/// between.
///
/// As in a transaction of Redis, a write that the server refuses (`WRONGTYPE`) does not undo the others.
///
/// ```no_run
/// # use redfence::{FencingToken, Resource};
/// # use redfence_redis::{FencedRedis, WriteError};
/// # async fn example(connection: redis::aio::MultiplexedConnection, token: FencingToken) -> Result<(), WriteError> {
/// # let order = Resource::new("orders/42").unwrap();
/// let store = FencedRedis::new(connection);
/// let answers = store.fenced(&order, token).pipeline().set("orders/42", "paid").incr_by("paid", 1).send().await?;
/// assert_eq!(answers.len(), 2);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is written before `send`"]
pub struct FencedPipeline<'a, C> {
    fenced: Fenced<'a, C>,
    keys: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    /// The first call that cannot be sent.
    error: Option<WriteError>,
}

impl<'a, C> Fenced<'a, C> {
    /// Several writes in one round trip and one step.
    pub fn pipeline(self) -> FencedPipeline<'a, C> {
        FencedPipeline { fenced: self, keys: Vec::new(), words: Vec::new(), error: None }
    }
}

impl<C> FencedPipeline<'_, C> {
    /// SET.
    pub fn set(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.command(key.as_ref(), &[b"SET", value.as_ref()])
    }

    /// HSET.
    pub fn hset<F: AsRef<[u8]>, V: AsRef<[u8]>>(self, key: impl AsRef<[u8]>, fields: &[(F, V)]) -> Self {
        let mut words: Vec<&[u8]> = vec![b"HSET"];
        words.extend(fields.iter().flat_map(|(field, value)| [field.as_ref(), value.as_ref()]));
        self.command(key.as_ref(), &words)
    }

    /// DEL. Answers how many keys were there.
    pub fn del(self, key: impl AsRef<[u8]>) -> Self {
        self.command(key.as_ref(), &[b"DEL"])
    }

    /// INCRBY. Answers the number.
    pub fn incr_by(self, key: impl AsRef<[u8]>, by: i64) -> Self {
        self.command(key.as_ref(), &[b"INCRBY", by.to_string().as_bytes()])
    }

    /// PEXPIRE. Answers 0 if there is no such key.
    pub fn expire(self, key: impl AsRef<[u8]>, time: Duration) -> Self {
        self.command(key.as_ref(), &[b"PEXPIRE", time.as_millis().to_string().as_bytes()])
    }

    fn command(mut self, key: &[u8], words: &[&[u8]]) -> Self {
        let problem = match self.fenced.checked(&[key], words.len()) {
            Err(problem) => Some(problem),
            Ok(_) if self.keys.len() == WRITES_MAX => {
                Some(WriteError::refused(&format!("a pipeline has at most {WRITES_MAX} writes")))
            }
            Ok(_) => None,
        };
        if let Some(problem) = problem {
            self.error.get_or_insert(problem);
        } else {
            self.keys.push(key.to_vec());
            self.words.push(words.len().to_string().into_bytes());
            self.words.extend(words.iter().map(|word| word.to_vec()));
        }
        self
    }
}

impl<C: ConnectionLike + Clone + Send + Sync> FencedPipeline<'_, C> {
    /// Sends all. Returns the answer of each write, or why the server refused it.
    ///
    /// # Errors
    ///
    /// [`WriteError::Stale`] when the token is stale: then none was written. [`WriteError::Unknown`] when the answer
    /// did not come: then all were written, or none. [`WriteError::Refused`] and [`WriteError::CrossSlot`] when nothing
    /// was written.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves all of them written, or none.
    pub async fn send(self) -> Result<Vec<Result<Value, WriteError>>, WriteError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.keys.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.fenced.call(&self.fenced.store.pipeline, &self.keys, &self.words).await?;
        let other = || WriteError::unknown("an answer of another form");
        let Value::Array(answers) = answer else { return Err(other()) };
        let of_one = |answer| match answer {
            Value::Array(parts) => match <[Value; 2]>::try_from(parts) {
                Ok([Value::Int(1), answer]) => Ok(answer),
                Ok([Value::Int(0), Value::BulkString(why)]) => Err(WriteError::refused(&String::from_utf8_lossy(&why))),
                _ => Err(other()),
            },
            _ => Err(other()),
        };
        Ok(answers.into_iter().map(of_one).collect())
    }
}
