//! Every command ends: also if nodes are silent, send garbage, cannot be found or are full.
//!
//! The commands are read from the help. A new command needs arguments here and a row in docs/bounds.md.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod program;
mod support;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use program::{redfence, run};
use rustix::process::{Pid, Signal, kill_process};
use support::deadline::poll_until;
use support::{BadServer, Manner, Proxy, RedisServer, servers};

/// Far longer than the bound of every command, so that a busy machine does not look like a command without an end.
const END: Duration = Duration::from_secs(90);

#[test]
fn every_command_ends_where_nodes_accept_and_say_nothing() {
    every_command_ends_on(Manner::Silent);
}

#[test]
fn every_command_ends_where_nodes_talk_rubbish() {
    every_command_ends_on(Manner::Rubbish);
}

#[test]
fn r4_every_command_ends_where_nodes_say_what_no_request_asked_for() {
    every_command_ends_on(Manner::Unasked);
}

#[test]
fn every_command_ends_where_nodes_never_stop_talking() {
    every_command_ends_on(Manner::Pouring);
}

#[test]
fn every_command_ends_where_names_do_not_resolve() {
    every_command_ends("redis://a.invalid,redis://b.invalid,redis://c.invalid");
}

#[test]
fn every_command_ends_where_nodes_have_no_memory_left() {
    let real = servers(3);
    real.iter().for_each(|server| assert_eq!(server.command(&["CONFIG", "SET", "maxmemory", "1"]), "OK"));
    every_command_ends(&program::urls(&real));
}

#[test]
fn every_command_ends_where_nodes_take_no_more_clients() {
    let real = servers(3);
    let _only_clients: Vec<TcpStream> = real.iter().map(occupied).collect();
    every_command_ends(&program::urls(&real));
}

#[test]
fn r4_the_wait_covers_connecting() {
    let real = servers(3);
    assert_eq!(run(&mut program::with_nodes(&real), &["acquire", "r", "--ttl", "30s"]).code, 0);
    // A login and a look take two round trips at least, so the wait is over when the locker is connected: one attempt is
    // left. From then on, the wait would be long enough for a second one.
    let slow: Vec<_> = real.iter().map(|server| Proxy::in_front_of(server.port())).collect();
    slow.iter().for_each(|proxy| proxy.set_delay_to_client(Duration::from_millis(300)));
    let urls = slow.iter().map(Proxy::url).collect::<Vec<_>>().join(",");
    let ran = run(redfence().args(["--nodes", &urls, "--node-timeout", "2s"]), &["acquire", "r", "--wait", "550ms"]);
    assert!(ran.code == 75 && ran.stderr.contains("after 1 attempt"), "{ran:?}");
}

#[test]
fn every_command_has_a_row_in_the_docs() {
    let page = include_str!("../../docs/bounds.md");
    let part = page.split("\n## ").find(|part| part.starts_with("Commands")).unwrap();
    let rows = part.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let rows: BTreeSet<String> = rows.map(|(name, _)| name.to_owned()).collect();
    assert_eq!(rows, commands(), "docs/bounds.md (left) and the help (right) know different commands");
}

/// The names of commands in the help.
fn commands() -> BTreeSet<String> {
    let help = run(&mut redfence(), &["--help"]).stdout;
    let list = help.split_once("Commands:\n").unwrap().1;
    let list = list.split_once("\n\n").unwrap().0;
    // Further lines of a description begin further to the right.
    let names = list.lines().filter_map(|line| line.strip_prefix("  ").filter(|name| !name.starts_with(' ')));
    let first_words = names.filter_map(|name| name.split_whitespace().next());
    first_words.filter(|word| *word != "help").map(str::to_owned).collect()
}

fn every_command_ends_on(manner: Manner) {
    let real = servers(3);
    let bad: Vec<_> = real.iter().map(|server| BadServer::in_front_of(server.port())).collect();
    bad.iter().for_each(|server| server.turn(manner));
    every_command_ends(&bad.iter().map(BadServer::url).collect::<Vec<_>>().join(","));
}

fn every_command_ends(urls: &str) {
    let mut running = Running(Vec::new());
    for name in commands() {
        let Some(arguments) = arguments(&name, urls) else { continue };
        let mut command: Command = redfence();
        command.args(["--nodes", urls]).args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        running.0.push((name, child));
    }
    let all = poll_until(END, || {
        // Such a command ends with a signal, wherever it stands.
        let until_a_signal = running.0.iter().filter(|(name, _)| UNTIL_A_SIGNAL.contains(&&**name));
        for (_, child) in until_a_signal {
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
        }
        running.0.retain_mut(|(_, child)| child.try_wait().unwrap().is_none());
        running.0.is_empty().then_some(())
    });
    let endless: Vec<_> = running.0.iter().map(|(name, _)| name).collect();
    assert!(all.is_ok(), "no end within {END:?}: {endless:?}");
}

/// Commands that run. If the test fails, none of them stays behind: its nodes may get the ports of another test.
struct Running(Vec<(String, Child)>);

impl Drop for Running {
    fn drop(&mut self) {
        for (_, child) in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Commands that go on until a signal comes.
const UNTIL_A_SIGNAL: &[&str] = &["elect", "watch"];

/// The arguments of a command; `None` if it asks none of the given nodes.
fn arguments<'a>(name: &'a str, urls: &'a str) -> Option<Vec<&'a str>> {
    const HOLDER: &str = "00000000000000000000000000000001";
    Some(match name {
        "run" => vec!["run", "r", "--wait", "1s", "--", "true"],
        "elect" => vec!["elect", "r", "--", "true"],
        "acquire" => vec!["acquire", "r", "--wait", "1s"],
        "admit" => vec!["admit", "r", "5", "--wait", "1s", "--store", urls.split(',').next()?],
        "extend" => vec!["extend", "r", "--holder", HOLDER],
        "release" => vec!["release", "r", "--holder", HOLDER],
        "status" => vec!["status", "r"],
        "who" => vec!["who", "r"],
        "list" => vec!["list"],
        "force-release" => vec!["force-release", "r", "--expect-holder", HOLDER, "--reason", "a test"],
        "bootstrap" => vec!["bootstrap"],
        "reset" => vec!["reset", "--all", "--yes"],
        "doctor" => vec!["doctor"],
        "demo" => vec!["demo"],
        "watch" => vec!["watch", "r"],
        // Not at a terminal: it ends at once. The looks of `top` are those of `list` and `who`.
        "top" => vec!["top"],
        "dev" | "completions" | "man" => return None,
        new => panic!("{new} is new: it needs arguments here, and a row with its bound in docs/bounds.md"),
    })
}

/// Makes a server full: the returned client stays connected, and all others are disconnected.
fn occupied(server: &RedisServer) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    client.write_all(b"CONFIG SET maxclients 1\r\nCLIENT KILL TYPE normal SKIPME yes\r\n").unwrap();
    let mut answers = BufReader::new(&client).lines();
    assert_eq!(answers.next().unwrap().unwrap(), "+OK");
    assert!(answers.next().unwrap().unwrap().starts_with(':'), "the number of those that went");
    client
}
