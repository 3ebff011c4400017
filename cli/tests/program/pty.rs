//! A program at a terminal of its own, and what the terminal shows.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses the part that it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test fails as the test does"
)]

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::LIMIT;
use crate::support::deadline::poll_until;

/// What was written to a terminal, and what it shows.
struct Shown {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

/// A program with a terminal of its own. It is killed at the end of the test.
pub struct Pty {
    child: Child,
    keys: File,
    shown: Arc<Mutex<Shown>>,
}

impl Pty {
    /// Starts the program at a terminal of this size.
    pub fn start(command: &Command, args: &[&str], (rows, columns): (u16, u16)) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        tcsetwinsize(&keys, size(rows, columns)).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap().into_string().unwrap();
        let line = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let again = || line.try_clone().unwrap();
        let mut session = Command::new("setsid");
        session.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args()).args(args);
        session.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        let child = session.stdin(again()).stdout(again()).stderr(again()).spawn().unwrap();
        let keys = File::from(keys);
        let shown = Shown { screen: vt100::Parser::new(cells(rows), cells(columns), 0), bytes: Vec::new() };
        let shown = Arc::new(Mutex::new(shown));
        let (mut output, showing) = (keys.try_clone().unwrap(), Arc::clone(&shown));
        // The terminal ends when its last program has ended.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let mut shown = showing.lock().unwrap_or_else(PoisonError::into_inner);
                shown.screen.process(&bytes[..count]);
                shown.bytes.extend_from_slice(&bytes[..count]);
            }
        });
        Self { child, keys, shown }
    }

    pub fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        self.lock().screen.screen_mut().set_size(cells(rows), cells(columns));
        tcsetwinsize(&self.keys, size(rows, columns)).unwrap();
    }

    /// The text on the screen.
    pub fn screen(&self) -> String {
        self.lock().screen.screen().contents()
    }

    /// All bytes that were written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    pub fn is_alternate(&self) -> bool {
        self.lock().screen.screen().alternate_screen()
    }

    /// Waits until the screen from before is back: the last bytes of a program may be read after it has ended.
    pub fn leaves_alternate(&self) {
        let left = poll_until(LIMIT, || (!self.is_alternate()).then_some(()));
        left.unwrap_or_else(|_| panic!("the screen from before is not back:\n{}", self.screen()));
    }

    /// Waits until the screen satisfies `condition`, and returns it.
    pub fn until(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        poll_until(LIMIT, || Some(self.screen()).filter(|screen| condition(screen)))
            .unwrap_or_else(|_| panic!("{what}: not on the screen:\n{}", self.screen()))
    }

    pub fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    pub fn code(&mut self) -> i32 {
        let ended = poll_until(LIMIT, || self.child.try_wait().unwrap());
        ended.unwrap_or_else(|_| panic!("still running:\n{}", self.screen())).code().unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Whether the bytes set a colour of the text or behind it.
pub fn has_colour(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let sequences = text.split("\u{1b}[").skip(1).filter_map(|rest| rest.split_once('m')).map(|(numbers, _)| numbers);
    let is_colour = |number: &str| number.parse::<u8>().is_ok_and(|n| matches!(n, 30..=38 | 40..=48 | 90..=107));
    sequences
        .filter(|numbers| numbers.bytes().all(|b| b.is_ascii_digit() || b == b';'))
        .any(|numbers| numbers.split(';').any(is_colour))
}

impl Drop for Pty {
    fn drop(&mut self) {
        // The program gets SIGHUP when its session leader or its terminal is gone.
        let _ = self.keys.write_all(b"\x03");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
