//! Runs scripts as a server does, in Lua 5.1, with `redis.call` and its kin. One interpreter per thread serves all
//! servers on it: scripts cannot change its globals, so they do not affect each other. A server is moved into the
//! thread's slot while its script runs, and back afterwards.

use std::cell::RefCell;
use std::collections::HashMap;

use bytes::Bytes;
use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value};

use super::core::Core;
use super::lua_value::{argument, from_reply, to_reply};
use super::resp::Reply;
use super::{command, lua_error};

/// A script and what it is called with.
pub(super) struct Script<'a> {
    pub(super) sha: &'a str,
    pub(super) source: &'a Bytes,
    pub(super) keys: &'a [Bytes],
    pub(super) arguments: &'a [Bytes],
}

/// The name by which a server knows a script.
pub(super) fn sha1(source: &[u8]) -> String {
    sha1_smol::Sha1::from(source).digest().to_string()
}

/// Checks whether the script can be compiled.
pub(super) fn compile(sha: &str, source: &Bytes) -> Result<(), Reply> {
    with_interpreter(|interpreter| interpreter.compiled(sha, source).map(|_| ()))
}

/// Runs a script on behalf of `client`.
pub(super) fn run(core: &mut Core, client: u64, script: &Script<'_>) -> Result<Reply, Reply> {
    let database = core.clients.get(&client).map(|client| client.database);
    let core_in = std::mem::take(core);
    RUNNING.set(Some(Running { core: core_in, client }));
    let outcome = with_interpreter(|interpreter| interpreter.run(script));
    if let Some(running) = RUNNING.take() {
        *core = running.core;
    }
    // SELECT in a script changes only the script's own database.
    if let (Some(caller), Some(database)) = (core.clients.get_mut(&client), database) {
        caller.database = database;
    }
    outcome
}

/// The server whose script runs on this thread.
struct Running {
    core: Core,
    client: u64,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
    static INTERPRETER: RefCell<Option<Interpreter>> = const { RefCell::new(None) };
}

fn with_interpreter<T>(work: impl FnOnce(&mut Interpreter) -> Result<T, Reply>) -> Result<T, Reply> {
    let unusable = |error: mlua::Error| Reply::error(format!("ERR the interpreter failed: {error}"));
    INTERPRETER.with_borrow_mut(|slot| {
        let interpreter = match slot {
            Some(interpreter) => interpreter,
            None => slot.insert(Interpreter::new().map_err(unusable)?),
        };
        work(interpreter)
    })
}

struct Interpreter {
    lua: Lua,
    /// What scripts see as their globals; nothing can be written to it.
    sealed: Table,
    /// What is found there.
    globals: Table,
    trampoline: Function,
    compiled: HashMap<String, Function>,
}

/// Scripts that are kept compiled on a thread.
const COMPILED_MAX: usize = 256;
/// The globals of Lua that scripts may use. The others read files, load code or show addresses.
const ALLOWED: [&str; 17] = [
    "assert",
    "error",
    "getmetatable",
    "ipairs",
    "next",
    "pairs",
    "rawequal",
    "rawget",
    "rawset",
    "select",
    "setmetatable",
    "tonumber",
    "tostring",
    "type",
    "unpack",
    "xpcall",
    "_VERSION",
];

impl Interpreter {
    fn new() -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let (own, globals) = (lua.globals(), lua.create_table()?);
        for name in ALLOWED.into_iter().chain(["string", "table", "math"]) {
            globals.raw_set(name, own.raw_get::<Value>(name)?)?;
        }
        // They use the state of the process, which no seed decides.
        let math: Table = own.raw_get("math")?;
        math.raw_set("random", Value::Nil)?;
        math.raw_set("randomseed", Value::Nil)?;

        let as_text = lua.create_function(lua_error::as_text)?;
        let protected: Function = own.raw_get("pcall")?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude");
        globals.raw_set("pcall", prelude.call::<Function>((protected, as_text))?)?;
        globals.raw_set("redis", library(&lua)?)?;

        let handler = lua.create_function(lua_error::handle)?;
        let trampoline = lua.load(include_str!("trampoline.lua")).set_name("=trampoline").call(handler)?;
        let sealed = seal(&lua, &globals)?;
        globals.raw_set("_G", sealed.clone())?;
        Ok(Self { lua, sealed, globals, trampoline, compiled: HashMap::new() })
    }

    fn compiled(&mut self, sha: &str, source: &Bytes) -> Result<Function, Reply> {
        if let Some(function) = self.compiled.get(sha) {
            return Ok(function.clone());
        }
        let chunk = self.lua.load(&source[..]).set_name("@user_script").set_mode(ChunkMode::Text);
        let function = chunk.set_environment(self.sealed.clone()).into_function().map_err(|error| {
            let message = match &error {
                mlua::Error::SyntaxError { message, .. } => message.clone(),
                other => other.to_string(),
            };
            Reply::error(format!("ERR Error compiling script (new function): {message}"))
        })?;
        if self.compiled.len() >= COMPILED_MAX {
            self.compiled.clear();
        }
        self.compiled.insert(sha.to_owned(), function.clone());
        Ok(function)
    }

    fn run(&mut self, script: &Script<'_>) -> Result<Reply, Reply> {
        let function = self.compiled(script.sha, script.source)?;
        let call = || {
            for (name, words) in [("KEYS", script.keys), ("ARGV", script.arguments)] {
                let table = self.lua.create_table_with_capacity(words.len(), 0)?;
                for word in words {
                    table.raw_push(self.lua.create_string(word)?)?;
                }
                self.globals.raw_set(name, table)?;
            }
            self.trampoline.call::<(bool, Value)>(function)
        };
        match call() {
            Ok((true, value)) => Ok(to_reply(&value)),
            Ok((false, thrown)) => Err(lua_error::uncaught(&thrown, script.sha)),
            Err(error) => Err(Reply::error(format!("ERR {error}"))),
        }
    }
}

/// A read-only table that shows `globals` and raises an error for other names.
fn seal(lua: &Lua, globals: &Table) -> mlua::Result<Table> {
    let missing = lua.create_function(|lua, (_, name): (Table, Value)| -> mlua::Result<Value> {
        let name = name.to_string().unwrap_or_default();
        Err(lua_error::located(lua, &format!("Script attempted to access nonexistent global variable '{name}'")))
    })?;
    let behind = lua.create_table()?;
    behind.raw_set("__index", missing)?;
    globals.set_metatable(Some(behind))?;

    let refuse = lua.create_function(|lua, _: MultiValue| -> mlua::Result<()> {
        Err(lua_error::located(lua, "Attempt to modify a readonly table"))
    })?;
    let (sealed, front) = (lua.create_table()?, lua.create_table()?);
    front.raw_set("__index", globals.clone())?;
    front.raw_set("__newindex", refuse)?;
    sealed.set_metatable(Some(front))?;
    Ok(sealed)
}

/// The table `redis`.
fn library(lua: &Lua) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    redis.raw_set("call", lua.create_function(|lua, words: MultiValue| call(lua, &words, true))?)?;
    redis.raw_set("pcall", lua.create_function(|lua, words: MultiValue| call(lua, &words, false))?)?;
    redis.raw_set("error_reply", lua.create_function(lua_error::error_reply)?)?;
    redis.raw_set("status_reply", lua.create_function(lua_error::status_reply)?)?;
    let sha1hex = |_: &Lua, words: MultiValue| match words.iter().next() {
        Some(text) if words.len() == 1 => Ok(sha1(&argument(text).unwrap_or_default())),
        _ => Err(lua_error::raised("ERR wrong number of arguments")),
    };
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("log", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    for (level, name) in ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"].into_iter().enumerate() {
        redis.raw_set(name, level)?;
    }
    Ok(redis)
}

/// `redis.call`, which raises errors, and `redis.pcall`, which returns them.
fn call(lua: &Lua, words: &MultiValue, raises: bool) -> mlua::Result<Value> {
    let reply = match arguments(words) {
        Ok(words) => RUNNING.with_borrow_mut(|slot| {
            let Some(Running { core, client }) = slot else { return Reply::error("ERR no server runs this script") };
            match command::find_for_script(&words) {
                Ok(command) => core.run(*client, command, &words),
                Err(why) => Reply::error(format!("ERR {why}")),
            }
        }),
        Err(why) => Reply::error(format!("ERR {why}")),
    };
    match reply {
        Reply::Error(text) if raises => Err(lua_error::raised(String::from_utf8_lossy(&text))),
        reply => from_reply(lua, reply),
    }
}

fn arguments(words: &MultiValue) -> Result<Vec<Bytes>, &'static str> {
    if words.is_empty() {
        return Err("Please specify at least one argument for this redis lib call");
    }
    let words: Option<Vec<Bytes>> = words.iter().map(argument).collect();
    words.ok_or("Lua redis lib command arguments must be strings or integers")
}
