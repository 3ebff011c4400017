//! The commands, one file per family.

mod expiry;
mod hashes;
mod info;
mod pubsub;
mod scan;
mod scripting;
mod session;
mod sorted_sets;
mod strings;

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;

use super::core::Call;
use super::resp::Reply;

/// One command, or one subcommand of `client`, `pubsub` or `script`; none of them is named like its container.
pub(super) struct Command {
    /// As errors name it: `get`, `client|id`.
    pub(super) name: &'static str,
    /// The number of words, including the name; a negative number means at least that many.
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
        sorted_sets::commands(),
        strings::commands(),
    ];
    families.into_iter().flatten().map(|command| (command.name, command)).collect()
});

/// Commands that are families of subcommands.
const CONTAINERS: [&str; 3] = ["client", "pubsub", "script"];
/// No command has a longer name.
const NAME_LEN_MAX: usize = 32;

/// The command that `words` name, if their number is right.
pub(super) fn find(words: &[Bytes]) -> Result<&'static Command, Reply> {
    let mut buffer = [0; NAME_LEN_MAX];
    let name = words.first().and_then(|name| lower(name, &mut buffer)).ok_or_else(|| unknown(words))?;
    let command = match (COMMANDS.get(name), words.get(1)) {
        (Some(command), _) => command,
        (None, Some(sub)) if CONTAINERS.contains(&name) => {
            let full = format!("{name}|{}", String::from_utf8_lossy(sub).to_ascii_lowercase());
            COMMANDS.get(full.as_str()).ok_or_else(|| {
                let sub = String::from_utf8_lossy(sub);
                Reply::error(format!("ERR unknown subcommand '{sub}'. Try {} HELP.", name.to_ascii_uppercase()))
            })?
        }
        (None, None) if CONTAINERS.contains(&name) => return Err(wrong_number(name)),
        (None, _) => return Err(unknown(words)),
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

fn syntax_error() -> Reply {
    Reply::error("ERR syntax error")
}

fn wrong_number(name: &str) -> Reply {
    Reply::error(format!("ERR wrong number of arguments for '{name}' command"))
}

fn unknown(words: &[Bytes]) -> Reply {
    /// How much of the request is repeated.
    const LEN_MAX: usize = 128;
    let (name, rest) = words.split_first().map_or((&b""[..], words), |(name, rest)| (name, rest));
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

/// In lower case; `None` if it is too long for a command, or is not text.
fn lower<'a>(word: &[u8], buffer: &'a mut [u8; NAME_LEN_MAX]) -> Option<&'a str> {
    let name = buffer.get_mut(..word.len())?;
    name.copy_from_slice(word);
    name.make_ascii_lowercase();
    str::from_utf8(name).ok()
}
