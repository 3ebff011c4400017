//! [`Facts`]: what the doctor asks one server.

use std::collections::HashMap;
use std::time::Duration;

use redis::{Value, cmd};

use super::endless::{self, EndlessLocks};
use crate::Clock;
use crate::node::redis::{Inquiry, Prefix, RedisNode};
use crate::protocol::{Fault, FaultKind, RunId};
use crate::{LockerId, Moment, Resource, WallTime};

/// The doctor's own resource.
pub(super) const CANARY: &str = "redfence doctor's canary";

/// What one server reports about itself. The server must answer; the rest is best effort, because managed servers
/// refuse many commands.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The reply to INFO, or why there is none.
    info: Result<HashMap<String, String>, String>,
    /// The settings that matter, by CONFIG GET, or why there are none.
    config: Result<HashMap<String, String>, String>,
    /// Each needed command that the user may not run.
    pub(super) forbidden: Result<Vec<String>, String>,
    /// The foreign locks without a time to live; `None` if locks have native names.
    pub(super) endless: Option<EndlessLocks>,
    /// Samples of the server's clock beside this machine's, over a few moments.
    pub(super) clock: Vec<Sample>,
    /// Whether the connection is safe from eavesdroppers: TLS, a socket or loopback.
    pub(super) is_private: bool,
}

/// One reading of both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) asked: Moment,
    pub(super) answered: Moment,
    pub(super) wall: WallTime,
    pub(super) server: WallTime,
}

/// The commands that locks need, as arguments of ACL DRYRUN.
const NEEDED: [&[&str]; 28] = [
    &["set", LOCK, "1"],
    &["getrange", LOCK, "0", "1"],
    &["mset", LOCK, "1"],
    &["mget", LOCK],
    &["del", LOCK],
    &["incr", LOCK],
    &["incrby", LOCK, "1"],
    &["pexpire", LOCK, "1"],
    &["pttl", LOCK],
    &["hset", RECORD, "f", "1"],
    &["hmget", RECORD, "f"],
    &["time"],
    &["info"],
    &["eval", "return 1", "0"],
    &["evalsha", "0", "0"],
    &["script", "load", "return 1"],
    &["script", "exists", "0"],
    &["ping"],
    &["select", "0"],
    &["scan", "0"],
    &["zadd", QUEUE, "1", "w"],
    &["zrem", QUEUE, "w"],
    &["zrank", QUEUE, "w"],
    &["zcard", QUEUE],
    &["zpopmin", QUEUE],
    &["zrange", QUEUE, "0", "0"],
    &["publish", WAKE, ""],
    &["subscribe", WAKE],
];
/// Placeholders for keys in the table above.
const LOCK: &str = "a lock";
const RECORD: &str = "the record";
const QUEUE: &str = "a queue";
const WAKE: &str = "a channel";
/// How many samples of the clock are taken, and the pause between them.
const CLOCK_LOOKS: usize = 4;
const CLOCK_PAUSE: Duration = Duration::from_millis(500);

impl Facts {
    /// Asks a server.
    pub(crate) async fn of(node: &RedisNode, clock: &dyn Clock) -> Result<Self, Fault> {
        let mut inquiry = node.inquire().await?;
        let mut samples = Vec::new();
        for look in 0..CLOCK_LOOKS {
            if look > 0 {
                tokio::time::sleep(CLOCK_PAUSE).await;
            }
            samples.push(sample(&mut inquiry, clock).await?);
        }
        Ok(Self {
            info: lines(inquiry.ask(cmd("INFO").arg("all")).await),
            config: pairs(
                inquiry.ask(cmd("CONFIG").arg("GET").arg(&["maxmemory-policy", "appendonly", "appendfsync"])).await,
            ),
            forbidden: forbidden(&mut inquiry, node.prefix()).await,
            endless: endless::endless(&mut inquiry, node.prefix()).await,
            clock: samples,
            is_private: node.is_private(),
        })
    }

    /// A field of INFO, or why there is none.
    pub(super) fn info(&self, name: &str) -> Result<&str, String> {
        let info = self.info.as_ref().map_err(|because| format!("INFO: {because}"))?;
        info.get(name).map(String::as_str).ok_or_else(|| format!("INFO has no {name}"))
    }

    /// A setting, or why it is unknown.
    pub(super) fn config(&self, name: &str) -> Result<&str, String> {
        let config = self.config.as_ref().map_err(|because| format!("CONFIG GET: {because}"))?;
        config.get(name).map(String::as_str).ok_or_else(|| format!("CONFIG GET has no {name}"))
    }

    pub(super) fn run_id(&self) -> Result<RunId, String> {
        RunId::parse(self.info("run_id")?).ok_or_else(|| "the run_id has another form".to_owned())
    }
}

async fn sample(inquiry: &mut Inquiry, clock: &dyn Clock) -> Result<Sample, Fault> {
    let asked = clock.now();
    let answer = inquiry.ask(&cmd("TIME")).await?;
    let (answered, wall) = (clock.now(), clock.wall());
    let unexpected = || Fault::new(FaultKind::Unexpected, "TIME answered something else");
    let number = |value: &Value| text(value).and_then(|digits| digits.parse::<u64>().ok());
    match &answer {
        Value::Array(parts) => match &parts[..] {
            [seconds, micros] => {
                let (seconds, micros) = (number(seconds), number(micros));
                let us = seconds.zip(micros).map(|(seconds, micros)| seconds.saturating_mul(1_000_000) + micros);
                let server = WallTime::from_unix_us(us.ok_or_else(unexpected)?);
                Ok(Sample { asked, answered, wall, server })
            }
            _ => Err(unexpected()),
        },
        _ => Err(unexpected()),
    }
}

/// The needed commands that this user may not run. ACL DRYRUN exists since Redis 7.0.
async fn forbidden(inquiry: &mut Inquiry, prefix: &Prefix) -> Result<Vec<String>, String> {
    let user = inquiry.ask(cmd("ACL").arg("WHOAMI")).await.map_err(|fault| format!("ACL WHOAMI: {fault}"))?;
    let user = text(&user).ok_or("ACL WHOAMI answered something else")?;
    let canary = Resource::new(CANARY).map_err(|error| error.to_string())?;
    let (lock, record, queue) = (prefix.lock(&canary), prefix.record(), prefix.queue(&canary));
    let wake = prefix.wake(LockerId::default());
    let mut forbidden = Vec::new();
    for words in NEEDED {
        let words: Vec<&str> = words
            .iter()
            .map(|word| match *word {
                LOCK => lock.as_str(),
                RECORD => record.as_str(),
                QUEUE => queue.as_str(),
                WAKE => wake.as_str(),
                word => word,
            })
            .collect();
        let answer = inquiry.ask(cmd("ACL").arg("DRYRUN").arg(&user).arg(&words)).await;
        match answer.map_err(|fault| no_dry_run(&fault))? {
            Value::Okay => {}
            _ => forbidden.push(match words[..] {
                [container @ "script", sub, ..] => format!("{container}|{sub}"),
                [word, ..] => word.to_owned(),
                [] => String::new(),
            }),
        }
    }
    Ok(forbidden)
}

fn no_dry_run(fault: &Fault) -> String {
    match fault.detail.contains("nknown subcommand") {
        true => {
            "before version 7 a server cannot be asked (ACL DRYRUN); the canary tries what a lease needs".to_owned()
        }
        false => format!("ACL DRYRUN: {fault}"),
    }
}

fn lines(answer: Result<Value, Fault>) -> Result<HashMap<String, String>, String> {
    let answer = answer.map_err(|fault| fault.to_string())?;
    let text = text(&answer).ok_or("the answer is not text")?;
    let pair = |line: &str| line.trim_end().split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

fn pairs(answer: Result<Value, Fault>) -> Result<HashMap<String, String>, String> {
    match answer.map_err(|fault| fault.to_string())? {
        Value::Array(parts) => {
            let pair = |pair: &[Value]| Some((text(pair.first()?)?, text(pair.get(1)?)?));
            Ok(parts.chunks(2).filter_map(pair).collect())
        }
        Value::Map(pairs) => Ok(pairs.iter().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()),
        _ => Err("the answer has another form".to_owned()),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}
