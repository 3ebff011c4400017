//! The commands, one file a family.

mod expiry;
mod hashes;
mod info;
mod pubsub;
mod scan;
mod scripting;
mod session;
mod strings;

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;

use super::core::Call;
use super::resp::Reply;

/// One command, or one subcommand of `client` or `script`.
pub(super) struct Command {
    /// As errors name it: `get`, `client|id`.
    pub(super) name: &'static str,
    /// How many words there are, the name among them; at least as many where it is negative.
    arity: i32,
    /// What it does; an error is a reply like any other.
    pub(super) run: fn(&mut Call<'_>) -> Result<Reply, Reply>,
    /// Whether it may come before the password.
    pub(super) before_login: bool,
    /// Whether it may come on a RESP2 connection that listens.
    pub(super) while_subscribed: bool,
    /// Whether scripts may call it.
    pub(super) in_scripts: bool,
}

impl Command {
    const fn new(name: &'static str, arity: i32, run: fn(&mut Call<'_>) -> Result<Reply, Reply>) -> Self {
        Self { name, arity, run, before_login: false, while_subscribed: false, in_scripts: true }
    }

    const fn outside_scripts(self) -> Self {
        Self { in_scripts: false, ..self }
    }

    const fn before_login(self) -> Self {
        Self { before_login: true, ..self }
    }

    const fn while_subscribed(self) -> Self {
        Self { while_subscribed: true, ..self }
    }

    fn takes(&self, words: usize) -> bool {
        let least = usize::try_from(self.arity.unsigned_abs()).unwrap_or(usize::MAX);
        if self.arity < 0 { words >= least } else { words == least }
    }
}

static COMMANDS: LazyLock<HashMap<&'static str, Command>> = LazyLock::new(|| {
    let families = [
        expiry::commands(),
        hashes::commands(),
        info::commands(),
        pubsub::commands(),
        scan::commands(),
        scripting::commands(),
        session::commands(),
        strings::commands(),
    ];
    families.into_iter().flatten().map(|command| (command.name, command)).collect()
});

/// Commands that are families of subcommands.
const CONTAINERS: [&str; 2] = ["client", "script"];
/// The longest name of a command, with its subcommand.
const NAME_LEN_MAX: usize = 32;

/// The command that `words` name, if they are as many as it takes.
pub(super) fn find(words: &[Bytes]) -> Result<&'static Command, Reply> {
    let name = words.first().map(|name| lower(name)).unwrap_or_default();
    let command = match (CONTAINERS.contains(&name.as_str()), words.get(1)) {
        (true, Some(sub)) => {
            let full = format!("{name}|{}", lower(sub));
            COMMANDS.get(full.as_str()).ok_or_else(|| {
                let sub = String::from_utf8_lossy(sub);
                Reply::error(format!("ERR unknown subcommand '{sub}'. Try {} HELP.", name.to_ascii_uppercase()))
            })?
        }
        (true, None) => return Err(wrong_number(&name)),
        (false, _) => COMMANDS.get(name.as_str()).ok_or_else(|| unknown(words))?,
    };
    if command.takes(words.len()) { Ok(command) } else { Err(wrong_number(command.name)) }
}

/// Why a script may not call what `words` name.
pub(super) fn find_for_script(words: &[Bytes]) -> Result<&'static Command, &'static str> {
    match find(words) {
        Ok(command) if command.in_scripts => Ok(command),
        Ok(_) => Err("This Redis command is not allowed from script"),
        Err(Reply::Error(text)) if text.starts_with(b"ERR wrong number") => {
            Err("Wrong number of args calling Redis command from script")
        }
        Err(_) => Err("Unknown Redis command called from script"),
    }
}

fn wrong_number(name: &str) -> Reply {
    Reply::error(format!("ERR wrong number of arguments for '{name}' command"))
}

fn unknown(words: &[Bytes]) -> Reply {
    /// How much of the request is repeated.
    const LEN_MAX: usize = 128;
    let (name, rest) = words.split_first().map_or((&b""[..], &words[..0]), |(name, rest)| (name, rest));
    let mut shown = String::new();
    for word in rest {
        if shown.len() >= LEN_MAX {
            break;
        }
        shown.push_str(&format!("'{}' ", cut(word, LEN_MAX - shown.len())));
    }
    Reply::error(format!("ERR unknown command '{}', with args beginning with: {shown}", cut(name, LEN_MAX)))
}

fn cut(word: &[u8], len_max: usize) -> String {
    String::from_utf8_lossy(word.get(..len_max).unwrap_or(word)).into_owned()
}

fn lower(word: &[u8]) -> String {
    String::from_utf8_lossy(word.get(..NAME_LEN_MAX).unwrap_or(word)).to_ascii_lowercase()
}
