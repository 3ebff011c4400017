//! Messages for subscribers: SUBSCRIBE, UNSUBSCRIBE, PUBLISH, PUBSUB NUMSUB.

use bytes::Bytes;

use super::Command;
use crate::stream::server::core::Call;
use crate::stream::server::resp::Reply;

pub(super) fn commands() -> Vec<Command> {
    vec![
        Command::new("subscribe", -2, subscribe).outside_scripts().while_subscribed(),
        Command::new("unsubscribe", -1, unsubscribe).outside_scripts().while_subscribed(),
        Command::new("publish", 3, publish),
        Command::new("pubsub|numsub", -2, numsub),
    ]
}

fn subscribe(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let mut confirmations = Vec::new();
    for channel in call.words.get(1..).unwrap_or_default() {
        let client = call.client;
        call.core.channels.entry(channel.clone()).or_default().insert(client);
        let caller = call.caller()?;
        caller.channels.insert(channel.clone());
        let count = caller.channels.len();
        confirmations.push(confirmation("subscribe", Reply::Bulk(channel.clone()), count));
    }
    Ok(Reply::Several(confirmations))
}

fn unsubscribe(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let mut channels: Vec<Bytes> = call.words.get(1..).unwrap_or_default().to_vec();
    if channels.is_empty() {
        channels = call.caller()?.channels.iter().cloned().collect();
    }
    if channels.is_empty() {
        return Ok(confirmation("unsubscribe", Reply::Null, 0));
    }
    let mut confirmations = Vec::new();
    for channel in channels {
        let client = call.client;
        let listeners = call.core.channels.entry(channel.clone()).or_default();
        listeners.remove(&client);
        if listeners.is_empty() {
            call.core.channels.remove(&channel);
        }
        let caller = call.caller()?;
        caller.channels.remove(&channel);
        let count = caller.channels.len();
        confirmations.push(confirmation("unsubscribe", Reply::Bulk(channel), count));
    }
    Ok(Reply::Several(confirmations))
}

fn publish(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let (channel, message) = (call.word(1)?.clone(), call.word(2)?.clone());
    let listeners: Vec<u64> = call.core.channels.get(&channel).into_iter().flatten().copied().collect();
    let push = Reply::Push(vec![Reply::text("message"), Reply::Bulk(channel), Reply::Bulk(message)]);
    for listener in &listeners {
        call.core.send(*listener, &push);
    }
    Ok(Reply::Int(i64::try_from(listeners.len()).unwrap_or(i64::MAX)))
}

/// How many listen on each of the channels.
fn numsub(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let listeners = |channel: &Bytes| call.core.channels.get(channel).map_or(0, std::collections::BTreeSet::len);
    let channels = call.words.get(2..).unwrap_or_default().iter();
    let counted = channels.flat_map(|channel| {
        let count = i64::try_from(listeners(channel)).unwrap_or(i64::MAX);
        [Reply::Bulk(channel.clone()), Reply::Int(count)]
    });
    Ok(Reply::Array(counted.collect()))
}

fn confirmation(kind: &'static str, channel: Reply, count: usize) -> Reply {
    Reply::Push(vec![Reply::text(kind), channel, Reply::Int(i64::try_from(count).unwrap_or(i64::MAX))])
}
