//! The connection itself: PING, HELLO, AUTH, SELECT, CLIENT.

use bytes::Bytes;

use super::{Command, info};
use crate::stream::server::core::{Call, DATABASES};
use crate::stream::server::resp::{Protocol, Reply, integer};

pub(super) fn commands() -> Vec<Command> {
    vec![
        Command::new("ping", -1, ping).while_subscribed(),
        Command::new("hello", -1, hello).outside_scripts().before_login(),
        Command::new("auth", -2, auth).outside_scripts().before_login(),
        Command::new("select", 2, select),
        Command::new("client|id", 2, id).outside_scripts(),
        Command::new("client|getname", 2, get_name).outside_scripts(),
        Command::new("client|setname", 3, set_name).outside_scripts(),
    ]
}

/// The one user of every connection.
const USER: &[u8] = b"default";
const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

fn ping(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let message = call.words.get(1).cloned();
    if call.words.len() > 2 {
        return Err(super::wrong_number("ping"));
    }
    let caller = call.caller()?;
    if caller.protocol == Protocol::Two && !caller.channels.is_empty() {
        return Ok(Reply::Array(vec![Reply::text("pong"), Reply::Bulk(message.unwrap_or_default())]));
    }
    Ok(message.map_or(Reply::Status(Bytes::from_static(b"PONG")), Reply::Bulk))
}

fn hello(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let protocol = match call.words.get(1).map(|word| integer(word)) {
        None => None,
        Some(None) => return Err(Reply::error("ERR Protocol version is not an integer or out of range")),
        Some(Some(2)) => Some(Protocol::Two),
        Some(Some(3)) => Some(Protocol::Three),
        Some(Some(_)) => return Err(Reply::error("NOPROTO unsupported protocol version")),
    };
    let (mut at, mut login, mut name) = (2, None, None);
    while let Some(option) = call.option(at) {
        let left = call.words.len() - at - 1;
        match option.as_str() {
            "AUTH" if left >= 2 => {
                login = Some((call.word(at + 1)?.clone(), call.word(at + 2)?.clone()));
                at += 3;
            }
            "SETNAME" if left >= 1 => {
                name = Some(call.word(at + 1)?.clone());
                at += 2;
            }
            _ => {
                let option = String::from_utf8_lossy(call.word(at)?).into_owned();
                return Err(Reply::error(format!("ERR Syntax error in HELLO option '{option}'")));
            }
        }
    }
    if let Some((user, password)) = login {
        log_in(call, &user, &password)?;
    }
    let client = call.client;
    let caller = call.caller()?;
    if !caller.authenticated {
        return Err(Reply::error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> \
             <pass> option can be used to authenticate the client and select the RESP protocol version at the \
             same time",
        ));
    }
    caller.protocol = protocol.unwrap_or(caller.protocol);
    caller.name = name.unwrap_or_else(|| caller.name.clone());
    let version = if caller.protocol == Protocol::Three { 3 } else { 2 };
    Ok(Reply::Map(vec![
        (Reply::text("server"), Reply::text("redis")),
        (Reply::text("version"), Reply::text(info::VERSION)),
        (Reply::text("proto"), Reply::Int(version)),
        (Reply::text("id"), Reply::Int(i64::try_from(client).unwrap_or(i64::MAX))),
        (Reply::text("mode"), Reply::text("standalone")),
        (Reply::text("role"), Reply::text("master")),
        (Reply::text("modules"), Reply::Array(Vec::new())),
    ]))
}

fn auth(call: &mut Call<'_>) -> Result<Reply, Reply> {
    match call.words {
        [_, password] if call.core.password.is_some() => log_in(call, USER, &password.clone())?,
        [_, _] => {
            return Err(Reply::error(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
                 configuration is correct?",
            ));
        }
        [_, user, password] => log_in(call, &user.clone(), &password.clone())?,
        _ => return Err(Reply::error("ERR syntax error")),
    }
    Ok(Reply::OK)
}

fn log_in(call: &mut Call<'_>, user: &[u8], password: &Bytes) -> Result<(), Reply> {
    let right = user == USER && call.core.password.as_ref().is_none_or(|expected| expected == password);
    if !right {
        return Err(Reply::error(WRONG_PASSWORD));
    }
    call.caller()?.authenticated = true;
    Ok(())
}

fn select(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let index = usize::try_from(call.number(1)?).ok().filter(|index| *index < DATABASES);
    call.caller()?.database = index.ok_or_else(|| Reply::error("ERR DB index is out of range"))?;
    Ok(Reply::OK)
}

fn id(call: &mut Call<'_>) -> Result<Reply, Reply> {
    Ok(Reply::Int(i64::try_from(call.client).unwrap_or(i64::MAX)))
}

fn get_name(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let name = call.caller()?.name.clone();
    Ok(if name.is_empty() { Reply::Null } else { Reply::Bulk(name) })
}

fn set_name(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let name = call.word(2)?.clone();
    if name.iter().any(|byte| !(b'!'..=b'~').contains(byte)) {
        return Err(Reply::error("ERR Client names cannot contain spaces, newlines or special characters."));
    }
    call.caller()?.name = name;
    Ok(Reply::OK)
}
