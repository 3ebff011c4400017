//! `run` at a terminal, under a shell with job control.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};

use program::{LIMIT, is_free, urls};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use support::deadline::poll_until;
use support::{RedisServer, servers};

/// A shell with a terminal of its own.
struct Terminal {
    shell: Child,
    keys: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn open(nodes: &[RedisServer]) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap().into_string().unwrap();
        let line = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let mut shell = Command::new("setsid");
        shell.args(["--ctty", "--wait", "bash", "--norc", "--noediting", "-i"]);
        shell.env("PS1", "ready$ ").env("REDFENCE_NODES", urls(nodes)).env("R", env!("CARGO_BIN_EXE_redfence"));
        let again = || line.try_clone().unwrap();
        let shell = shell.stdin(again()).stdout(again()).stderr(again()).spawn().unwrap();
        let (keys, screen) = (File::from(keys), Arc::new(Mutex::new(String::new())));
        let (mut output, shown) = (keys.try_clone().unwrap(), Arc::clone(&screen));
        // The terminal ends when its last program has ended.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                shown.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        let terminal = Self { shell, keys, screen };
        terminal.shows("ready$ ");
        terminal
    }

    fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    /// Whether the terminal has shown this text. If so, the text up to there is dropped.
    fn has_shown(&self, text: &str) -> Option<()> {
        let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let at = screen.find(text)?;
        *screen = screen.split_off(at + text.len());
        Some(())
    }

    fn shows(&self, text: &str) {
        poll_until(LIMIT, || self.has_shown(text)).unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.screen));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A program that still runs reads the first words, and the shell reads the last ones.
        let _ = poll_until(LIMIT, || {
            let _ = self.keys.write_all(b"\x03exit\n");
            self.shell.try_wait().ok().flatten()
        });
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// A script that prints what it reads and how it ends. It joins the words, so that the typed line does not contain
/// them.
const TALKS: &str = "$R run r -- sh -c 'trap \"echo inter\"\"rupted; exit 5\" INT; echo be\"\"gan; \
     while read line; do echo \"he\"\"ard $line\"; done; echo over'; echo \"co\"\"de $?\"\n";

#[test]
fn keys_reach_the_command_and_ctrl_c_ends_it() {
    let nodes = servers(1);
    let mut terminal = Terminal::open(&nodes);
    terminal.types(TALKS);
    terminal.shows("began");
    terminal.types("a line\n");
    terminal.shows("heard a line");
    terminal.types("\x03");
    terminal.shows("interrupted");
    terminal.shows("ready$ ");
    assert!(is_free(&nodes, "r"));
    terminal.types(TALKS);
    terminal.shows("began");
    terminal.types("\x04");
    terminal.shows("over");
    terminal.shows("code 0");
}

#[test]
fn ctrl_z_is_refused_and_the_command_works_on() {
    let nodes = servers(1);
    let mut terminal = Terminal::open(&nodes);
    terminal.types(TALKS);
    terminal.shows("began");
    terminal.types("\x1a");
    terminal.shows("still running");
    terminal.types("more\n");
    terminal.shows("heard more");
    assert!(!is_free(&nodes, "r"));
}

#[test]
fn a_background_job_comes_to_the_foreground_and_ctrl_c_ends_it() {
    let nodes = servers(1);
    let mut terminal = Terminal::open(&nodes);
    terminal.types("$R run r -- sh -c 'trap \"echo inter\"\"rupted; exit 5\" INT; echo be\"\"gan; while :; do sleep 0.02; done' </dev/null &\n");
    terminal.shows("began");
    terminal.types("jobs\n");
    terminal.shows("Running");
    terminal.shows("ready$ ");
    terminal.types("fg\n");
    terminal.shows("run r -- sh");
    // The shell gives the terminal away a moment after its message. Until then the key goes to the shell.
    poll_until(LIMIT, || {
        terminal.types("\x03");
        terminal.has_shown("interrupted")
    })
    .unwrap();
    terminal.shows("ready$ ");
    assert!(is_free(&nodes, "r"));
}
