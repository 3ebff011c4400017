//! The scripts as text, for other languages: their behaviour is the interface, and is tested.
//!
//! | key | type | life |
//! |---|---|---|
//! | `<prefix>:fence:<resource>`, prefix `redfence` by default | hash: `token`, in digits; `value`, of `redfence::verifier::RedisStore::write` | without end: never give it a TTL, never delete it |
//! | your own keys | as your commands make them | as you wish |
//!
//! In a Cluster a script may only use keys of one slot. The slot of a key is that of the first `{…}` in it: name the resource
//! `{user:7}:cart`, and its fence shares the slot of your key `{user:7}:cart` and of all others with `{user:7}`.
//!
//! ```text
//! EVAL <COMMAND> 2 redfence:fence:orders/42 orders/42 1882557276749825 0 SET paid
//! ```
//!
//! answers `[1, "OK"]`, or `[0, "1882557276749826"]` with the highest token, if the token is stale. An error answer,
//! such as `WRONGTYPE`, says that the command wrote nothing; the token may be the highest from then on. A script is one
//! step: no other client's command runs in between, and the server writes it to its log and to its replicas as a whole.

/// The check alone. To fence a script of your own, send this text, `return {1, (function(KEYS, ARGV)`, a line break, your
/// text, a line break and `end)(KEYS, ARGV)}`: it is [`FencedScript`](crate::FencedScript). Your text finds your keys and
/// arguments from 1 on.
pub const CHECK: &str = include_str!("fence.lua");

/// The check, and after it one SET, HSET, DEL, INCRBY, EXPIRE or PEXPIRE.
pub const COMMAND: &str = concat!(include_str!("fence.lua"), include_str!("commands.lua"), include_str!("command.lua"));

/// The check, and after it several of these commands. Keys: the fence, then the key of each. Arguments: the token, 0 or
/// 1 as in the others; then for each command how many words follow, its name, and what follows the key.
pub const PIPELINE: &str =
    concat!(include_str!("fence.lua"), include_str!("commands.lua"), include_str!("pipeline.lua"));

/// The check alone, which answers `[1]`; with a third argument it writes that beside the token.
pub const ADMIT: &str = concat!(include_str!("fence.lua"), include_str!("admit.lua"));

/// Reads a cached value; the file says what it takes and answers. [`RedisCache`](crate::RedisCache) has the keys.
pub const CACHE_GET: &str = include_str!("cache_get.lua");

/// Checks a token, and writes or removes a cached value; the file says what it takes and answers.
pub const CACHE_PUT: &str = include_str!("cache_put.lua");
