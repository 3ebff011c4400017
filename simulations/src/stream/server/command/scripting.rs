//! Scripts: EVAL, EVALSHA, SCRIPT.

use bytes::Bytes;

use super::Command;
use crate::stream::server::core::Call;
use crate::stream::server::lua;
use crate::stream::server::resp::Reply;

pub(super) fn commands() -> Vec<Command> {
    vec![
        Command::new("eval", -3, eval).outside_scripts(),
        Command::new("evalsha", -3, evalsha).outside_scripts(),
        Command::new("script|load", 3, load).outside_scripts(),
        Command::new("script|exists", -3, exists).outside_scripts(),
        Command::new("script|flush", -2, flush).outside_scripts(),
    ]
}

fn eval(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let split = key_count(call)?;
    let source = call.word(1)?.clone();
    let sha = lua::sha1(&source);
    lua::compile(&sha, &source)?;
    call.core.scripts.insert(sha.clone(), source.clone());
    run(call, &sha, &source, split)
}

fn evalsha(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let split = key_count(call)?;
    let sha = String::from_utf8_lossy(call.word(1)?).to_ascii_lowercase();
    let unknown = || Reply::error("NOSCRIPT No matching script. Please use EVAL.");
    let source = call.core.scripts.get(&sha).cloned().ok_or_else(unknown)?;
    run(call, &sha, &source, split)
}

fn run(call: &mut Call<'_>, sha: &str, source: &Bytes, key_count: usize) -> Result<Reply, Reply> {
    let words = call.words.get(3..).unwrap_or_default();
    let (keys, arguments) = words.split_at_checked(key_count).unwrap_or((words, &[]));
    let altered = call.core.altered.get(sha).map(|source| (lua::sha1(source), source.clone()));
    let (sha, source) = altered.as_ref().map_or((sha, source), |(sha, source)| (sha.as_str(), source));
    lua::run(call.core, call.client, &lua::Script { sha, source, keys, arguments })
}

/// How many of the following words are keys.
fn key_count(call: &Call<'_>) -> Result<usize, Reply> {
    match usize::try_from(call.number(2)?) {
        Err(_) => Err(Reply::error("ERR Number of keys can't be negative")),
        Ok(count) if count > call.words.len() - 3 => {
            Err(Reply::error("ERR Number of keys can't be greater than number of args"))
        }
        Ok(count) => Ok(count),
    }
}

fn load(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let source = call.word(2)?.clone();
    let sha = lua::sha1(&source);
    lua::compile(&sha, &source)?;
    call.core.scripts.insert(sha.clone(), source);
    Ok(Reply::Bulk(sha.into()))
}

fn exists(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let hashes = call.words.get(2..).unwrap_or_default().iter();
    let known = |sha: &Bytes| call.core.scripts.contains_key(&String::from_utf8_lossy(sha).to_ascii_lowercase());
    Ok(Reply::Array(hashes.map(|sha| Reply::flag(known(sha))).collect()))
}

fn flush(call: &mut Call<'_>) -> Result<Reply, Reply> {
    match (call.option(2).as_deref(), call.words.len()) {
        (None | Some("SYNC" | "ASYNC"), ..=3) => {}
        _ => return Err(Reply::error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
    }
    call.core.scripts.clear();
    Ok(Reply::OK)
}
