//! [`Fenced`]: commands and scripts behind the check, each in one script call.

use std::time::Duration;

use redfence::verifier::{Rule, StaleToken};
use redfence::{FencingToken, Resource};
use redis::aio::ConnectionLike;
use redis::{FromRedisValue, Script, Value};

use crate::lua::CHECK;
use crate::{FencedRedis, WriteError, hash_slot};

/// Lua can unpack only so many values, and a script may only take so much time.
const ARGS_MAX: usize = 1_024;

/// Your own Lua script behind the check, in one script call.
///
/// It finds its keys in `KEYS` and its arguments in `ARGV`, from 1 on, and runs only if the token passes. Its return
/// value is the answer. If it fails halfway, its earlier writes stay, as in any Redis script: check first, then write.
#[derive(Debug, Clone)]
pub struct FencedScript(Script);

impl FencedScript {
    /// Puts the check in front of `lua`.
    #[must_use]
    pub fn new(lua: &str) -> Self {
        Self(Script::new(&format!("{CHECK}return {{1, (function(KEYS, ARGV)\n{lua}\nend)(KEYS, ARGV)}}\n")))
    }
}

/// Writes of one holder to your own keys: each is checked and done in one script call.
///
/// | call | if the token is stale | if there is no such key |
/// |---|---|---|
/// | [`set`](Self::set), [`hset`](Self::hset), [`incr_by`](Self::incr_by) | [`WriteError::Stale`] | makes it |
/// | [`del`](Self::del) | [`WriteError::Stale`] | answers `false` |
/// | [`expire`](Self::expire) | [`WriteError::Stale`] | [`WriteError::Missing`] |
/// The fence is beside your keys in the same server, and has no TTL. The token is stored even if the command is then
/// refused (`WRONGTYPE`): that only excludes older holders.
///
/// # Errors
///
/// Every call answers with a [`WriteError`].
///
/// # Cancel safety
///
/// Dropping the future of a call leaves the write done or not done, never half done.
///
/// # Sent twice
/// A connection that repeats requests automatically (one to a Cluster does, unless retries are switched off) may run
/// [`incr_by`](Self::incr_by) twice, because an equal token passes. With [`strict`](Self::strict) only one write of a
/// lease passes: the second one is stale, with the same token as the highest.
#[derive(Debug)]
pub struct Fenced<'a, C> {
    pub(crate) store: &'a FencedRedis<C>,
    pub(crate) resource: &'a Resource,
    pub(crate) token: FencingToken,
    pub(crate) rule: Rule,
}

impl<C> Clone for Fenced<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Fenced<'_, C> {}

impl<C> Fenced<'_, C> {
    /// An equal token is stale: one write, or one pipeline, per lease.
    #[must_use]
    pub const fn strict(mut self) -> Self {
        self.rule = Rule::Strict;
        self
    }

    pub(crate) fn checked(&self, keys: &[&[u8]], args: usize) -> Result<(), WriteError> {
        if keys.len() + args > ARGS_MAX {
            return Err(WriteError::refused(&format!("a fenced write has at most {ARGS_MAX} keys and arguments")));
        }
        let fence = self.store.key(self.resource);
        let slot = hash_slot(fence.as_bytes());
        match keys.iter().find(|key| self.store.one_slot && hash_slot(key) != slot) {
            None => Ok(()),
            Some(key) => {
                let key = String::from_utf8_lossy(key);
                let reason = format!("the fence {fence:?} and the key {key:?} are in different slots");
                Err(WriteError::CrossSlot { reason: reason.chars().take(2 * Resource::LEN_MAX).collect() })
            }
        }
    }
}

impl<C: ConnectionLike + Clone + Send + Sync> Fenced<'_, C> {
    /// SET: the key has this value from now on, and no TTL.
    #[expect(clippy::missing_errors_doc, reason = "said once, at the type")]
    pub async fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), WriteError> {
        self.command(key.as_ref(), &[b"SET", value.as_ref()]).await.map(|_: Value| ())
    }

    /// HSET: these fields of the hash have these values from now on.
    #[expect(clippy::missing_errors_doc, reason = "said once, at the type")]
    pub async fn hset<F: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        key: impl AsRef<[u8]>,
        fields: &[(F, V)],
    ) -> Result<(), WriteError> {
        let mut words: Vec<&[u8]> = vec![b"HSET"];
        words.extend(fields.iter().flat_map(|(field, value)| [field.as_ref(), value.as_ref()]));
        self.command(key.as_ref(), &words).await.map(|_: Value| ())
    }

    /// DEL: the key is gone from now on; whether it was there.
    #[expect(clippy::missing_errors_doc, reason = "said once, at the type")]
    pub async fn del(&self, key: impl AsRef<[u8]>) -> Result<bool, WriteError> {
        self.command(key.as_ref(), &[b"DEL"]).await
    }

    /// INCRBY: returns the new number.
    #[expect(clippy::missing_errors_doc, reason = "said once, at the type")]
    pub async fn incr_by(&self, key: impl AsRef<[u8]>, by: i64) -> Result<i64, WriteError> {
        self.command(key.as_ref(), &[b"INCRBY", by.to_string().as_bytes()]).await
    }

    /// PEXPIRE: the key lives this long from now on, in whole milliseconds; with none it is gone at once.
    #[expect(clippy::missing_errors_doc, reason = "said once, at the type")]
    pub async fn expire(&self, key: impl AsRef<[u8]>, time: Duration) -> Result<(), WriteError> {
        let there: bool = self.command(key.as_ref(), &[b"PEXPIRE", time.as_millis().to_string().as_bytes()]).await?;
        if there { Ok(()) } else { Err(WriteError::Missing) }
    }

    /// Runs your own script behind the check.
    #[expect(clippy::missing_errors_doc, reason = "said once, at the type")]
    pub async fn run<T: FromRedisValue>(
        &self,
        script: &FencedScript,
        keys: &[&[u8]],
        args: &[&[u8]],
    ) -> Result<T, WriteError> {
        self.checked(keys, args.len())?;
        typed(self.call(&script.0, keys, args).await?)
    }

    async fn command<T: FromRedisValue>(&self, key: &[u8], words: &[&[u8]]) -> Result<T, WriteError> {
        self.checked(&[key], words.len())?;
        typed(self.call(&self.store.command, &[key], words).await?)
    }

    pub(crate) async fn call<W: redis::ToRedisArgs>(
        &self,
        script: &Script,
        keys: &[W],
        args: &[W],
    ) -> Result<Value, WriteError> {
        let mut call = script.key(self.store.key(self.resource));
        call.key(keys).arg(self.token.get()).arg(u8::from(self.rule == Rule::Strict)).arg(args);
        let answer = call.invoke_async(&mut self.store.connection.clone()).await;
        judged(answer.map_err(|error| WriteError::of(&error))?)
    }
}

/// Reads the answer of a script with the check: the answer of the write, unless the token is stale.
pub(crate) fn judged(answer: Value) -> Result<Value, WriteError> {
    let other = || WriteError::unknown("an answer of another form");
    let Value::Array(parts) = answer else { return Err(other()) };
    let mut parts = parts.into_iter();
    match (parts.next(), parts.next()) {
        // Lua ends a list before a nil.
        (Some(Value::Int(1)), None) => Ok(Value::Nil),
        (Some(Value::Int(1)), Some(Value::ServerError(error))) => {
            Err(WriteError::refused(&redis::RedisError::from(error).to_string()))
        }
        (Some(Value::Int(1)), Some(value)) => Ok(value),
        (Some(Value::Int(0)), Some(Value::BulkString(digits))) => {
            let highest = String::from_utf8_lossy(&digits).parse();
            Err(highest.map_or_else(|_| other(), |highest| WriteError::Stale(StaleToken { highest })))
        }
        _ => Err(other()),
    }
}

fn typed<T: FromRedisValue>(value: Value) -> Result<T, WriteError> {
    T::from_redis_value(value)
        .map_err(|error| WriteError::unknown(&format!("it was written, but the answer is of another type: {error}")))
}
