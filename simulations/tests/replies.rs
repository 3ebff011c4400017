//! The virtual server gives the same answers as a real redis-server, byte for byte. The requests are in
//! `replies/*.txt`. A line is a request. Words are separated by spaces, and quoted if they contain any. `@batch` is
//! EVAL with that shipped script, `#batch` EVALSHA. An empty line begins a new connection to a server without keys and
//! scripts. After `~` the digits of the reply are not compared: they are clocks, or counts from the start of the
//! process.
//!
//! The virtual server is a Redis 7.0. With a server of another version only successful replies are compared, because
//! every version words errors differently.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod real;

use std::sync::Arc;

use real::{RealConnection, RealServer};
use redfence::protocol::RunId;
use redfence::{Clock, SystemClock};
use simulations::stream::server::{ClientId, Output, Server};

const SCRIPTS: [(&str, &str); 5] = [
    ("batch", include_str!("../../src/node/redis/batch.lua")),
    ("inspect", include_str!("../../src/node/redis/inspect.lua")),
    ("scan", include_str!("../../src/node/redis/scan.lua")),
    ("join", include_str!("../../src/node/redis/join.lua")),
    // As the verifier sends it: the check, and the write behind it.
    (
        "admit",
        concat!(include_str!("../../src/verifier/redis/fence.lua"), include_str!("../../src/verifier/redis/admit.lua")),
    ),
];
/// Files that are no scripts by themselves, and the script that begins with each.
const PARTS: [(&str, &str); 1] = [("fence", "admit")];

#[test]
fn every_shipped_script_answers_alike_in_all_its_branches() {
    let compared = compare(include_str!("replies/scripts.txt"), &[]);
    assert!(compared >= 2 * 100, "{compared} replies were compared");
    for (name, _) in SCRIPTS {
        assert!(include_str!("replies/scripts.txt").contains(&format!("@{name} ")), "{name}.lua is not compared");
    }
}

#[test]
fn every_shipped_script_is_in_the_list() {
    for folder in ["../src/node/redis", "../src/verifier/redis"] {
        let files = std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        for path in files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "lua")) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let name = PARTS.iter().find(|(part, _)| *part == name).map_or(name, |(_, script)| script);
            assert!(SCRIPTS.iter().any(|(known, _)| *known == name), "{} is not compared", path.display());
        }
    }
}

#[test]
fn every_command_answers_alike() {
    let compared = compare(include_str!("replies/commands.txt"), &[]);
    assert!(compared >= 2 * 200, "{compared} replies were compared");
}

#[test]
fn lua_answers_alike() {
    let compared = compare(include_str!("replies/lua.txt"), &[]);
    assert!(compared >= 2 * 60, "{compared} replies were compared");
}

#[test]
fn a_server_with_a_password_answers_alike() {
    let compared = compare(include_str!("replies/password.txt"), &["--requirepass", "open sesame"]);
    assert!(compared >= 2 * 10, "{compared} replies were compared");
}

#[test]
fn requests_that_cannot_be_understood_end_the_connection_alike() {
    let pair = Pair::new(&[]);
    for request in [
        "*1\r\n!4\r\nPING\r\n",
        "*1\r\n$x\r\n",
        "*1\r\n$-5\r\n",
        "*x\r\n",
        "*9999999999\r\n",
        "*2\r\n$3\r\nGET\r\n*1\r\n",
        "PING\r\n*1\r\n:5\r\n",
    ] {
        let of_real = pair.real.connect().exchange(request.as_bytes(), b"");
        let mut of_virtual = pair.connect();
        let answer = of_virtual.exchange(request.as_bytes());
        if pair.same_version {
            assert_eq!(shown(&answer), shown(&of_real), "{request:?}");
        }
        assert!(of_virtual.closed, "{request:?}");
    }
}

/// Messages go to other connections, each in its version of the protocol, and to the publishing one, in order.
#[test]
fn messages_reach_other_connections_alike() {
    let pair = Pair::new(&[]);
    let publish = [&["PUBLISH", "news", "one"][..], &["EVAL", "return redis.call('PUBLISH', 'news', 'two')", "0"]];
    let mut real: Vec<RealConnection> = (0..3).map(|_| pair.real.connect()).collect();
    let mut of_virtual: Vec<ClientId> = (0..3).map(|_| pair.server.connect().unwrap()).collect();
    let mut received: Vec<Vec<u8>> = vec![Vec::new(); 3];
    let mut said: Vec<Vec<u8>> = vec![Vec::new(); 3];
    // One listens in RESP2, one in RESP3, and the third publishes and also listens.
    let marked = |words: &[&str], marker: &str| [request(words), request(&[marker])].concat();
    let mut both = |at: usize, words: &[&str], marker: &str| {
        let end = format!("'{marker}', with args beginning with: \r\n");
        received[at].extend(real[at].exchange(&marked(words, marker), end.as_bytes()));
        for (client, output) in pair.server.feed(of_virtual[at], &marked(words, marker)) {
            let to = of_virtual.iter().position(|one| *one == client).unwrap();
            let Output::Bytes(bytes) = output else { panic!("no connection is closed") };
            said[to].extend(bytes);
        }
    };
    both(1, &["PING", "x"], "before");
    for (at, version) in [(1, "3"), (2, "3")] {
        let words = ["HELLO", version];
        both(at, &words, "greeting");
    }
    (0..3).for_each(|at| both(at, &["SUBSCRIBE", "news", "other"], "listening"));
    publish.iter().for_each(|words| both(2, words, "published"));
    both(1, &["UNSUBSCRIBE", "news"], "gone");
    both(2, publish[0], "published again");
    (0..3).for_each(|at| both(at, &["UNSUBSCRIBE", "other", "news"], "end"));
    pair.server.disconnect(of_virtual.remove(0));
    for (said, received) in said.iter().zip(&received) {
        assert_eq!(without_digits(&shown(said)), without_digits(&shown(received)));
        assert!(shown(received).contains("message"), "{}", shown(received));
    }
}

/// A real server and a virtual one.
struct Pair {
    real: RealServer,
    server: Server,
    /// Whether the real server has the version whose error texts the virtual one uses.
    same_version: bool,
}

struct VirtualConnection<'a> {
    server: &'a Server,
    client: ClientId,
    closed: bool,
}

impl Pair {
    fn new(arguments: &[&str]) -> Self {
        let real = RealServer::start(arguments);
        let password = arguments.iter().position(|a| *a == "--requirepass").map(|at| arguments[at + 1]);
        let mut operator = real.connect();
        if let Some(password) = password {
            operator.exchange(&request(&["AUTH", password]), b"\r\n");
        }
        let info = operator.exchange(&request(&["INFO", "server"]), b"\r\n\r\n");
        let info = String::from_utf8(info).unwrap();
        let line = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        let version = line("redis_version:");
        let same_version = version.starts_with("7.0.");
        if !same_version {
            println!("the redis-server on PATH is {version}, not 7.0: only replies of success are compared");
        }
        // With the same run id, so that scripts give the same answers about it.
        let run_id = RunId::parse(&line("run_id:")).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let server = Server::new(Arc::clone(&clock), run_id, clock.wall());
        if let Some(password) = password {
            server.require_password(password);
        }
        Self { real, server, same_version }
    }

    fn connect(&self) -> VirtualConnection<'_> {
        VirtualConnection { server: &self.server, client: self.server.connect().unwrap(), closed: false }
    }

    /// Empties both.
    fn anew(&self, password: Option<&str>) {
        let mut operator = self.real.connect();
        let end = b"+PONG\r\n";
        if let Some(password) = password {
            operator.exchange(&[request(&["AUTH", password]), request(&["PING"])].concat(), end);
        }
        for words in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
            operator.exchange(&[request(words), request(&["PING"])].concat(), end);
            assert_eq!(self.server.execute(words), b"+OK\r\n");
        }
    }
}

impl Drop for VirtualConnection<'_> {
    fn drop(&mut self) {
        self.server.disconnect(self.client);
    }
}

impl VirtualConnection<'_> {
    fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        for (client, output) in self.server.feed(self.client, request) {
            assert_eq!(client, self.client, "no other client is connected");
            match output {
                Output::Bytes(mut bytes) => answer.append(&mut bytes),
                Output::HangUp => self.closed = true,
            }
        }
        answer
    }
}

/// Plays all connections of `text` to both servers, in both versions of the protocol; how many replies were compared.
fn compare(text: &str, arguments: &[&str]) -> usize {
    let pair = Pair::new(arguments);
    let password = arguments.iter().position(|a| *a == "--requirepass").map(|at| arguments[at + 1]);
    let (mut compared, mut apart) = (0, Vec::new());
    for hello in ["2", "3"] {
        let (mut of_real, mut of_virtual): (Option<RealConnection>, Option<VirtualConnection<'_>>) = (None, None);
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() {
                (of_real, of_virtual) = (None, None);
                continue;
            }
            if line.starts_with("--") {
                continue;
            }
            let real = of_real.get_or_insert_with(|| {
                pair.anew(password);
                let mut connection = pair.real.connect();
                exchange_hello(hello, password, |bytes, end| connection.exchange(bytes, end));
                connection
            });
            let virtual_one = of_virtual.get_or_insert_with(|| {
                let mut connection = pair.connect();
                exchange_hello(hello, password, |bytes, _| connection.exchange(bytes));
                connection
            });
            let (rough, line) = line.strip_prefix("~ ").map_or((false, line), |line| (true, line));
            let words = words(line);
            // Every server answers this marker with an error, in any state of the connection.
            let marker = format!("line-{}", number + 1);
            let both = [request(&words), request(&[&marker])].concat();
            let expected = real.exchange(&both, format!("'{marker}', with args beginning with: \r\n").as_bytes());
            let seen = virtual_one.exchange(&both);
            let form = |bytes: &[u8]| if rough { without_digits(&shown(bytes)) } else { shown(bytes) };
            if !pair.same_version && (is_of_the_version(&expected) || is_of_the_version(&seen)) {
                continue;
            }
            compared += 1;
            if !is_near(&form(&seen), &form(&expected)) {
                apart.push(format!(
                    "line {} in RESP{hello}: {line}\n  real    {}\n  virtual {}",
                    number + 1,
                    shown(&expected),
                    shown(&seen)
                ));
            }
        }
    }
    if !pair.same_version {
        // The number of replies depends on the version, but there are always some.
        assert!(compared > 0, "nothing was compared");
        compared = COMPARED_ENOUGH;
    }
    assert!(apart.is_empty(), "{} of {compared} replies differ:\n{}", apart.len(), apart.join("\n"));
    compared
}

/// With another version no number of replies is required.
const COMPARED_ENOUGH: usize = usize::MAX;

/// Whether a reply depends on the version: it contains an error before the final marker, or the server's name.
fn is_of_the_version(bytes: &[u8]) -> bool {
    let text = shown(bytes);
    let errors = text.matches("\\r\\n-").count() + usize::from(text.starts_with('-'));
    errors > 1 || text.contains("version")
}

/// Chooses the protocol; with a password, the lines of the file do it.
fn exchange_hello(version: &str, password: Option<&str>, mut exchange: impl FnMut(&[u8], &[u8]) -> Vec<u8>) {
    if password.is_none() {
        let both = [request(&["HELLO", version]), request(&["PING", "ready"])].concat();
        exchange(&both, b"\r\nready\r\n");
    }
}

fn request<S: AsRef<str>>(words: &[S]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// The words of a line; `@name` and `#name` at its beginning become a call of that script.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => (quoted, begun) = (!quoted, true),
            '\\' => match rest.next() {
                Some('n') => word.push('\n'),
                Some('r') => word.push('\r'),
                Some(other) => word.push(other),
                None => panic!("{line}: nothing behind the last backslash"),
            },
            ' ' if !quoted => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            other => word.push(other),
        }
    }
    assert!(!quoted, "{line}: a quote is open");
    if begun || !word.is_empty() {
        words.push(word);
    }
    let source = |name: &str| SCRIPTS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{line}")).1;
    let call = match words[0].split_at_checked(1) {
        Some(("@", name)) => ["EVAL".to_owned(), source(name).to_owned()],
        Some(("#", name)) => ["EVALSHA".to_owned(), redis::Script::new(source(name)).get_hash().to_owned()],
        _ => return words,
    };
    call.into_iter().chain(words.into_iter().skip(1)).collect()
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The same, except that a time left may differ by some milliseconds, because time passes at the real server.
fn is_near(one: &str, other: &str) -> bool {
    const APART_MAX: u64 = 200;
    let parts = |text: &str| -> Vec<String> {
        let digit = |c: &char| c.is_ascii_digit();
        let chars: Vec<char> = text.chars().collect();
        chars.chunk_by(|a, b| digit(a) == digit(b)).map(|part| part.iter().collect()).collect()
    };
    let (one, other) = (parts(one), parts(other));
    let near = |(one, other): (&String, &String)| {
        let numbers = one.parse::<u64>().ok().zip(other.parse::<u64>().ok());
        let is_time = |number: u64| (1_000..1_000_000_000).contains(&number);
        one == other || numbers.is_some_and(|(a, b)| is_time(a) && is_time(b) && a.abs_diff(b) <= APART_MAX)
    };
    one.len() == other.len() && one.iter().zip(&other).all(near)
}

fn without_digits(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        match c.is_ascii_digit() {
            true if kept.ends_with('0') => {}
            true => kept.push('0'),
            false => kept.push(c),
        }
    }
    kept
}
