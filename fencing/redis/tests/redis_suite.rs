//! Fenced writes to the user's keys in Redis: the suite, wrong stores that it refuses, and answers of servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod support;

use std::sync::Mutex;
use std::time::Duration;

use redfence::verifier::contract::{Answer, FencedWrites, Refusal, check_writes};
use redfence::verifier::{RedisStore, Rule, StaleToken};
use redfence::{FencingToken, Resource};
use redfence_redis::{FencedRedis, FencedScript, WriteError, hash_slot, lua};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, Script, Value};
use support::{RedisServer, connection, order, runtime, token};
use tokio::runtime::Runtime;

/// The wrong ways to use right scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    No,
    CheckApart,
    MissingPasses,
}

struct Store {
    server: Mutex<RedisServer>,
    runtime: Runtime,
    wrong: Wrong,
    /// A script that replaces the library's: a mutant.
    script: Option<String>,
}

impl Store {
    fn start() -> Self {
        // The last value of a flag counts.
        let server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
        Self { server: Mutex::new(server), runtime: runtime(), wrong: Wrong::No, script: None }
    }

    /// A new connection for each call, like another process.
    fn run<T>(&self, call: impl AsyncFnOnce(FencedRedis<MultiplexedConnection>) -> T) -> T {
        let url = self.server.lock().unwrap().url();
        self.runtime.block_on(async { call(FencedRedis::new(connection(&url).await)).await })
    }

    fn key(resource: &Resource) -> String {
        format!("data:{resource}")
    }

    async fn mutant<T: FromRedisValue>(
        &self,
        lua: &str,
        store: &FencedRedis<MultiplexedConnection>,
        resource: &Resource,
        token: FencingToken,
        words: &[&str],
    ) -> Answer<T> {
        let (script, url) = (Script::new(lua), self.server.lock().unwrap().url());
        let mut call = script.key(store.key(resource));
        call.key(Self::key(resource)).arg(token.get()).arg(0).arg(words);
        let answer: Vec<Value> = call.invoke_async(&mut connection(&url).await).await.map_err(failed)?;
        let [verdict, value] = <[Value; 2]>::try_from(answer).map_err(|answer| failed(format!("{answer:?}")))?;
        match verdict {
            Value::Int(1) => T::from_redis_value(value).map_err(failed),
            _ => {
                let highest = String::from_redis_value(value).map_err(failed)?;
                Err(Refusal::Stale { highest: highest.parse().map_err(failed)? })
            }
        }
    }

    /// A common mistake: first the check and then, in another step, the write.
    async fn apart(
        &self,
        store: &FencedRedis<MultiplexedConnection>,
        of: &Resource,
        at: FencingToken,
        value: i64,
    ) -> Answer<()> {
        use redfence::verifier::TokenStore as _;
        let url = self.server.lock().unwrap().url();
        let mut connection = connection(&url).await;
        let library = RedisStore::new(connection.clone());
        debug_assert_eq!(library.key(of), store.key(of));
        let verdict = library.admit(of, at, Rule::AcceptEqual).await.map_err(failed)?;
        verdict.into_result().map_err(|StaleToken { highest }| Refusal::Stale { highest })?;
        // In the row of two at once, where the value is the token, even tokens are the older ones: each waits until the
        // newer one has written.
        let races = at.get().is_multiple_of(2) && i64::try_from(at.get()) == Ok(value);
        for _ in 0..if races { 5_000 } else { 0 } {
            let held: Option<i64> =
                redis::cmd("GET").arg(Self::key(of)).query_async(&mut connection).await.map_err(failed)?;
            if held == Some(value + 1) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        redis::cmd("SET").arg(Self::key(of)).arg(value).query_async(&mut connection).await.map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::Failed(error.to_string())
}

fn refusal(error: WriteError) -> Refusal {
    match error {
        WriteError::Stale(StaleToken { highest }) => Refusal::Stale { highest },
        WriteError::Missing => Refusal::Missing,
        other => failed(other),
    }
}

impl FencedWrites for Store {
    fn write(&self, resource: &Resource, token: FencingToken, value: i64) -> Answer<()> {
        self.run(async |store| match &self.script {
            Some(lua) => {
                self.mutant::<Value>(lua, &store, resource, token, &["SET", &value.to_string()]).await.map(|_| ())
            }
            None if self.wrong == Wrong::CheckApart => self.apart(&store, resource, token, value).await,
            None => store.fenced(resource, token).set(Self::key(resource), value.to_string()).await.map_err(refusal),
        })
    }

    fn change(&self, resource: &Resource, token: FencingToken) -> Answer<()> {
        let hour = Duration::from_secs(3_600);
        let answer = self.run(async |store| match &self.script {
            Some(lua) => {
                let there: bool = self.mutant(lua, &store, resource, token, &["EXPIRE", "3600"]).await?;
                if there { Ok(()) } else { Err(Refusal::Missing) }
            }
            None => store.fenced(resource, token).expire(Self::key(resource), hour).await.map_err(refusal),
        });
        match answer {
            Err(Refusal::Missing) if self.wrong == Wrong::MissingPasses => Ok(()),
            answer => answer,
        }
    }

    fn batch(&self, resource: &Resource, token: FencingToken, values: &[i64]) -> Option<Answer<()>> {
        if self.script.is_some() {
            return None;
        }
        Some(self.run(async |store| {
            let mut pipeline = store.fenced(resource, token).pipeline();
            for value in values {
                pipeline = pipeline.set(Self::key(resource), value.to_string());
            }
            let answers = pipeline.send().await.map_err(refusal)?;
            answers.into_iter().try_for_each(|answer| answer.map(|_| ()).map_err(refusal))
        }))
    }

    fn delete(&self, resource: &Resource, token: FencingToken) -> Answer<()> {
        self.run(async |store| match &self.script {
            Some(lua) => self.mutant::<Value>(lua, &store, resource, token, &["DEL"]).await.map(|_| ()),
            None => store.fenced(resource, token).del(Self::key(resource)).await.map(|_| ()).map_err(refusal),
        })
    }

    fn read(&self, resource: &Resource) -> Answer<Option<i64>> {
        let url = self.server.lock().unwrap().url();
        self.runtime.block_on(async {
            let mut get = redis::cmd("GET");
            get.arg(Self::key(resource)).query_async(&mut connection(&url).await).await.map_err(failed)
        })
    }

    fn highest(&self, resource: &Resource) -> Answer<Option<FencingToken>> {
        self.run(async |store| store.highest(resource).await.map_err(failed))
    }

    fn expires(&self, resource: &Resource) -> Answer<bool> {
        let url = self.server.lock().unwrap().url();
        self.run(async |store| {
            let mut time = redis::cmd("PTTL");
            let left: i64 =
                time.arg(store.key(resource)).query_async(&mut connection(&url).await).await.map_err(failed)?;
            Ok(left != -1)
        })
    }

    fn crash(&self) -> bool {
        self.server.lock().unwrap().restart();
        true
    }
}

#[test]
fn fenced_writes_keep_the_contract() {
    check_writes(&Store::start(), "orders").unwrap();
}

#[test]
fn the_suite_refuses_every_mutant() {
    let mut store = Store::start();
    for (wrong, rule) in [(Wrong::CheckApart, "behind a newer one"), (Wrong::MissingPasses, "is missing")] {
        store.wrong = wrong;
        falls(&store, rule, rule);
    }
    store.wrong = Wrong::No;
    let all = lua::COMMAND;
    for (name, wrong, with, rule) in [
        ("a time to live", "redis.call('PERSIST', fence)", "redis.call('EXPIRE', fence, 3600)", "never expires"),
        (
            "equal refused",
            "(strict and token(offered) == token(highest))",
            "token(offered) == token(highest)",
            "an equal or greater one passes",
        ),
        ("no check", "token(offered) < token(highest)", "false", "a lower token is stale"),
        ("compared as text", "token(offered) < token(highest)", "offered < highest", "a lower token is stale"),
        (
            "a refused token is stored",
            "    return {0, highest}",
            "    redis.call('HSET', fence, 'token', offered)\n    return {0, highest}",
            "a lower token is stale",
        ),
        ("one fence for all", "if not fence or", "fence = 'redfence:fence'\nif not fence or", "a lower token is stale"),
        (
            "the fence goes with the data",
            "return {1, redis.call(",
            "if ARGV[1] == 'DEL' then redis.call('DEL', fence) end\nreturn {1, redis.call(",
            "outlives",
        ),
        (
            "check behind the write",
            "local highest =",
            "if KEYS[1] then redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2)) end\nlocal highest =",
            "a lower token is stale",
        ),
        (
            "missing passes",
            "return {1, redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))}",
            "return {1, ARGV[1] == 'EXPIRE' and 1 or redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))}",
            "is missing",
        ),
    ] {
        let mutant = all.replace(wrong, with);
        assert_ne!(mutant, all, "{wrong:?} is not in the script");
        store.script = Some(mutant);
        falls(&store, name, rule);
    }
    // Unchanged, the same way of calling it passes.
    store.script = Some(all.to_owned());
    check_writes(&store, "unchanged").unwrap();
}

fn falls(store: &Store, name: &str, rule: &str) {
    let broken = check_writes(store, name).expect_err(name).to_string();
    println!("{name}: {broken}");
    assert!(broken.contains(rule) && !broken.contains("Failed("), "{name}: {broken}");
}

#[test]
fn every_command_is_judged_and_done() {
    let (server, runtime) = (RedisServer::start(), runtime());
    runtime.block_on(async {
        let store = FencedRedis::new(connection(&server.url()).await);
        let order = order();
        let (older, newer) = (store.fenced(&order, token(1)), store.fenced(&order, token(2)));
        newer.set("text", "a \0 b").await.unwrap();
        newer.hset("hash", &[("one", "1"), ("two", "2")]).await.unwrap();
        assert_eq!(newer.incr_by("sum", 40).await.unwrap(), 40);
        assert_eq!(newer.incr_by("sum", -2).await.unwrap(), 38);
        newer.expire("hash", Duration::from_secs(60)).await.unwrap();
        assert!(newer.del("text").await.unwrap());
        assert!(!newer.del("text").await.unwrap());
        assert_eq!(newer.expire("text", Duration::from_secs(60)).await, Err(WriteError::Missing));

        let stale = Err(WriteError::Stale(StaleToken { highest: token(2) }));
        assert_eq!(older.set("text", "x").await, stale);
        assert_eq!(older.hset("hash", &[("one", "x")]).await, stale);
        assert_eq!(older.incr_by("sum", 1).await, Err(WriteError::Stale(StaleToken { highest: token(2) })));
        assert_eq!(older.del("sum").await, Err(WriteError::Stale(StaleToken { highest: token(2) })));
        assert_eq!(older.expire("sum", Duration::ZERO).await, stale);
        // One write per lease: a repeated write is recognized by its own token.
        assert_eq!(newer.strict().set("text", "x").await, stale);
        assert_eq!(store.fenced(&order, token(3)).strict().set("text", "y").await, Ok(()));
    });
    assert_eq!(server.command(&["HGETALL", "hash"]), "one\n1\ntwo\n2");
    assert_eq!((server.command(&["GET", "sum"]), server.command(&["GET", "text"])), ("38".to_owned(), "y".to_owned()));
    assert_eq!(server.command(&["PTTL", "redfence:fence:orders/42"]), "-1");
}

#[test]
fn a_script_of_the_user_runs_behind_the_check() {
    let (server, runtime) = (RedisServer::start(), runtime());
    runtime.block_on(async {
        let store = FencedRedis::new(connection(&server.url()).await);
        let order = order();
        let transfer = FencedScript::new(
            "if redis.call('DECRBY', KEYS[1], ARGV[1]) < 0 then redis.call('INCRBY', KEYS[1], ARGV[1]) return false end
             return redis.call('INCRBY', KEYS[2], ARGV[1]) -- the sum stays",
        );
        server.command(&["SET", "from", "10"]);
        let keys: [&[u8]; 2] = [b"from", b"to"];
        let fenced = store.fenced(&order, token(5));
        assert_eq!(fenced.run::<Option<i64>>(&transfer, &keys, &[b"7"]).await, Ok(Some(7)));
        assert_eq!(fenced.run::<Option<i64>>(&transfer, &keys, &[b"7"]).await, Ok(None));
        let older = store.fenced(&order, token(4)).run::<Option<i64>>(&transfer, &keys, &[b"1"]).await;
        assert_eq!(older, Err(WriteError::Stale(StaleToken { highest: token(5) })));
        assert_eq!(
            (server.command(&["GET", "from"]), server.command(&["GET", "to"])),
            ("3".to_owned(), "7".to_owned())
        );
        // Its answers are not confused with those of the check, and its errors are reported as its own.
        let zero = FencedScript::new("return {0, '99'}");
        assert_eq!(fenced.run::<(i64, String)>(&zero, &[], &[]).await, Ok((0, "99".to_owned())));
        for wrong in ["return redis.error_reply('MINE no')", "error('no')", "this is no Lua"] {
            let answer = fenced.run::<()>(&FencedScript::new(wrong), &[], &[]).await;
            assert!(matches!(answer, Err(WriteError::Refused { .. })), "{wrong}: {answer:?}");
        }
    });
}

#[test]
fn a_pipeline_is_one_step() {
    let (server, runtime) = (RedisServer::start(), runtime());
    runtime.block_on(async {
        let store = FencedRedis::new(connection(&server.url()).await);
        let order = order();
        let pipeline = |number| store.fenced(&order, token(number)).pipeline();
        assert!(pipeline(5).send().await.unwrap().is_empty());
        assert_eq!(store.highest(&order).await.unwrap(), None);
        let answers =
            pipeline(5).set("a", "1").hset("h", &[("f", "v")]).incr_by("a", 1).del("nothing").send().await.unwrap();
        assert_eq!(answers[2..], [Ok(Value::Int(2)), Ok(Value::Int(0))]);
        let older = pipeline(4).set("a", "9").set("b", "9").send().await;
        assert_eq!(older, Err(WriteError::Stale(StaleToken { highest: token(5) })));
        // A refused write has its error at its place; the others are done, as in any transaction.
        let mixed = pipeline(6).incr_by("h", 1).incr_by("a", 1).send().await.unwrap();
        assert!(matches!(&mixed[0], Err(WriteError::Refused { reason }) if reason.contains("WRONGTYPE")), "{mixed:?}");
        assert_eq!(mixed[1], Ok(Value::Int(3)));
        // Strict means once per pipeline, not once per write.
        let strict = || store.fenced(&order, token(7)).strict().pipeline().incr_by("a", 1).incr_by("a", 1);
        assert_eq!(strict().send().await.unwrap()[1], Ok(Value::Int(5)));
        assert_eq!(strict().send().await, Err(WriteError::Stale(StaleToken { highest: token(7) })));
        let full = (0..1_025).fold(pipeline(8), |pipeline, _| pipeline.incr_by("a", 1));
        assert!(matches!(full.send().await, Err(WriteError::Refused { .. })));
    });
    assert_eq!((server.command(&["GET", "a"]), server.command(&["EXISTS", "b"])), ("5".to_owned(), "0".to_owned()));
}

/// The interface for other languages: words in, words out.
#[test]
fn the_script_judges_what_other_languages_send() {
    let server = RedisServer::start();
    let eval = |words: &[&str]| server.command(&[&["EVAL", lua::COMMAND], words].concat());
    let fence = "redfence:fence:orders/42";
    assert_eq!(eval(&["2", fence, "orders/42", "1882557276749825", "0", "SET", "paid"]), "1\nOK");
    assert_eq!(eval(&["2", fence, "orders/42", "1882557276749824", "0", "SET", "open"]), "0\n1882557276749825");
    for wrong in ["0", "-1", "nan", "1e9", "007", "9007199254740992", ""] {
        assert!(eval(&["2", fence, "orders/42", wrong, "0", "SET", "open"]).contains("a token from 1"), "{wrong}");
    }
    for wrong in [
        &["2", fence, "k", "1882557276749825", "0", "GET"][..],
        &["1", fence, "1882557276749825", "0", "SET", "x"],
        &["2", fence, "k", "1882557276749825", "0", "SET"],
    ] {
        assert!(eval(wrong).contains("a fenced command is"), "{wrong:?}");
    }
    assert!(eval(&["0"]).contains("a fenced write needs"));
    assert_eq!(server.command(&["GET", "orders/42"]), "paid");
    let own =
        format!("{}return {{1, (function(KEYS, ARGV)\n{}\nend)(KEYS, ARGV)}}", lua::CHECK, "return {KEYS[1], ARGV[1]}");
    assert_eq!(server.command(&["EVAL", &own, "2", fence, "mine", "1882557276749826", "0", "x"]), "1\nmine\nx");
}

#[test]
fn in_a_cluster_fence_and_key_share_a_slot() {
    let (server, runtime) = (RedisServer::bare_with(&["--cluster-enabled", "yes"]), runtime());
    let slots: Vec<String> = (0..16_384).map(|slot: u16| slot.to_string()).collect();
    let all: Vec<&str> = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
    assert_eq!(server.command(&all), "OK");
    support::deadline::poll_until(Duration::from_secs(10), || {
        server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
    })
    .unwrap();
    runtime.block_on(async {
        let url = server.url();
        let (apart, tagged) = (Resource::new("cart").unwrap(), Resource::new("{user:7}:cart").unwrap());
        let store = FencedRedis::new(connection(&url).await);
        let checking = FencedRedis::new(connection(&url).await).for_cluster();
        for (store, who) in [(&store, "CROSSSLOT"), (&checking, "redfence:fence:cart")] {
            let refused = store.fenced(&apart, token(5)).set("{user:7}:cart", "x").await;
            assert!(matches!(&refused, Err(WriteError::CrossSlot { reason }) if reason.contains(who) || reason.contains("slot")), "{refused:?}");
            println!("{}", refused.unwrap_err());
            let pipeline = store.fenced(&apart, token(5)).pipeline().set("{user:7}:cart", "x").send().await;
            assert!(pipeline.is_err(), "{pipeline:?}");
            let fenced = store.fenced(&tagged, token(5));
            fenced.set("{user:7}:cart", "x").await.unwrap();
            fenced.pipeline().set("{user:7}:a", "1").incr_by("{user:7}:b", 1).send().await.unwrap();
            assert!(store.fenced(&tagged, token(4)).set("{user:7}:cart", "y").await.is_err());
        }
        assert_eq!(store.highest(&apart).await.unwrap(), None);
        assert_eq!(server.command(&["CLUSTER", "KEYSLOT", "{user:7}:cart"]), hash_slot(b"{user:7}:cart").to_string());
    });
    // On a single server only a store for a Cluster refuses it.
    let single = RedisServer::start();
    runtime.block_on(async {
        let cart = Resource::new("cart").unwrap();
        let store = FencedRedis::new(connection(&single.url()).await);
        store.fenced(&cart, token(1)).set("elsewhere", "x").await.unwrap();
        let refused = store.for_cluster().fenced(&cart, token(1)).set("elsewhere", "x").await;
        assert!(matches!(refused, Err(WriteError::CrossSlot { .. })), "{refused:?}");
    });
}

#[test]
fn a_write_without_an_answer_is_unknown_and_can_be_sent_again() {
    let (server, runtime) = (RedisServer::start(), runtime());
    runtime.block_on(async {
        let client = redis::Client::open(server.url()).unwrap();
        let hasty = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_millis(200)));
        let store = FencedRedis::new(client.get_multiplexed_async_connection_with_config(&hasty).await.unwrap());
        let order = order();
        store.fenced(&order, token(1)).set("data", "before").await.unwrap();
        server.pause();
        let write = store.fenced(&order, token(2)).set("data", "after").await;
        assert!(matches!(write, Err(WriteError::Unknown { .. })), "{write:?}");
        server.resume();
        // It arrived: the same token passes again, and an older one does not.
        let store = FencedRedis::new(connection(&server.url()).await);
        store.fenced(&order, token(2)).set("data", "after").await.unwrap();
        assert!(matches!(store.fenced(&order, token(1)).set("data", "older").await, Err(WriteError::Stale(_))));
    });
    assert_eq!(server.command(&["GET", "data"]), "after");
}
