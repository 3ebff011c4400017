//! From requests to the bytes that a server reads.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::keys::Prefix;
use super::script::Script;
use crate::WallTime;
use crate::protocol::{Record, Settlement, Subject, Verb};

/// What every request about a subject says, encoded once for all nodes.
#[derive(Debug)]
pub(super) struct Wire {
    /// Lock and counter.
    keys: Vec<u8>,
    holder: Vec<u8>,
}

impl Wire {
    /// The encoding of `subject`. A fan-out asks for the same one several times in a row, so a thread keeps the last.
    pub(super) fn of(prefix: &Prefix, subject: &Arc<Subject>) -> Arc<Self> {
        type Encoded = (Arc<Subject>, Prefix, Arc<Wire>);
        thread_local! {
            static LAST: RefCell<Option<Encoded>> = const { RefCell::new(None) };
        }
        LAST.with_borrow_mut(|last| match last {
            Some((whose, its_prefix, wire)) if Arc::ptr_eq(whose, subject) && its_prefix == prefix => Arc::clone(wire),
            _ => {
                let (mut keys, mut holder) = (Vec::with_capacity(96), Vec::with_capacity(64));
                keys.bulk(prefix.lock(&subject.resource).as_bytes());
                keys.bulk(prefix.counter(&subject.resource).as_bytes());
                holder.bulk(subject.holder.to_string().as_bytes());
                let wire = Arc::new(Self { keys, holder });
                *last = Some((Arc::clone(subject), prefix.clone(), Arc::clone(&wire)));
                wire
            }
        })
    }
}

/// Whether requests of this kind share a script call with others.
pub(super) const fn is_batched(verb: &Verb) -> bool {
    matches!(verb, Verb::Grant { .. } | Verb::Seal { .. } | Verb::Extend { .. } | Verb::Release)
}

/// One script call for several requests that [`is_batched`] lets through.
pub(super) fn turn<'a>(
    out: &mut Vec<u8>,
    loaded: bool,
    requests: impl ExactSizeIterator<Item = (&'a Wire, &'a Verb)> + Clone,
) {
    let count = requests.len();
    out.array(3 + 6 * count);
    call(out, Script::Turn, loaded);
    out.number(2 * count as u64);
    for (wire, _) in requests.clone() {
        out.extend_from_slice(&wire.keys);
    }
    for (wire, verb) in requests {
        let mut word = [0; 12];
        let (letter, count, one, other) = match *verb {
            Verb::Grant { ttl, floor, block, yield_at } => {
                let letter = match yield_at {
                    0 => b'G',
                    1 => b'P',
                    _ => b'Q',
                };
                (letter, block, whole_ms(ttl), floor)
            }
            Verb::Seal { token } => (b'S', 0, token, 0),
            Verb::Extend { ttl } => (b'E', 0, whole_ms(ttl), 0),
            _ => (b'R', 0, 0, 0),
        };
        let mut digits = itoa::Buffer::new();
        let digits = if count > 0 { digits.format(count) } else { "" };
        let word = letter_and(&mut word, letter, digits);
        out.bulk(word);
        out.extend_from_slice(&wire.holder);
        out.number(one);
        out.number(other);
    }
}

fn letter_and<'a>(word: &'a mut [u8; 12], letter: u8, digits: &str) -> &'a [u8] {
    let (first, rest) = word.split_at_mut(1);
    first.fill(letter);
    rest.iter_mut().zip(digits.bytes()).for_each(|(place, digit)| *place = digit);
    word.get(..=digits.len()).unwrap_or_default()
}

/// One request by itself.
pub(super) fn single(out: &mut Vec<u8>, prefix: &Prefix, loaded: bool, subject: &Subject, wire: &Wire, verb: &Verb) {
    match *verb {
        Verb::Watch | Verb::Unwatch => {
            out.array(2);
            out.bulk(if *verb == Verb::Watch { b"SUBSCRIBE" } else { b"UNSUBSCRIBE" });
            out.bulk(prefix.lock(&subject.resource).as_bytes());
        }
        Verb::Inspect => {
            out.array(5);
            call(out, Script::Inspect, loaded);
            out.number(2);
            out.extend_from_slice(&wire.keys);
        }
        Verb::Force => {
            out.array(6);
            call(out, Script::Force, loaded);
            out.number(2);
            out.extend_from_slice(&wire.keys);
            out.extend_from_slice(&wire.holder);
        }
        Verb::Scan { cursor, count, remove } => {
            out.array(8);
            call(out, Script::Scan, loaded);
            out.number(1);
            out.bulk(prefix.record().as_bytes());
            out.number(cursor);
            out.number(u64::from(count));
            out.bulk(prefix.as_str().as_bytes());
            out.number(u64::from(remove));
        }
        _ => join(out, prefix, loaded, verb),
    }
}

fn join(out: &mut Vec<u8>, prefix: &Prefix, loaded: bool, verb: &Verb) {
    let (name, max_ttl, wall) = match *verb {
        Verb::Settle(ref settlement) => ("settle", settlement.max_ttl, settlement.wall),
        Verb::Wake { max_ttl, wall } => ("wake", max_ttl, wall),
        Verb::Look { max_ttl } => ("look", max_ttl, WallTime::default()),
        _ => return,
    };
    let settles = matches!(verb, Verb::Settle(_));
    out.array(if settles { 11 } else { 8 });
    call(out, Script::Join, loaded);
    out.number(1);
    out.bulk(prefix.record().as_bytes());
    out.bulk(name.as_bytes());
    out.bulk(prefix.as_str().as_bytes());
    out.number(whole_ms(max_ttl));
    out.number(wall.unix_us());
    if let Verb::Settle(settlement) = verb {
        let Settlement { seen, mark, rest, new, .. } = **settlement;
        let seen = seen.map(|Record { run_id, ready_at, awake, .. }| {
            let run_id = run_id.map(|run_id| run_id.to_string()).unwrap_or_default();
            format!("{} {} {run_id}", ready_at.unix_ms(), u8::from(awake))
        });
        let seen = seen.or_else(|| mark.map(|mark| mark.to_string()));
        out.bulk(seen.unwrap_or_default().as_bytes());
        out.number(whole_ms(rest));
        out.number(u64::from(new));
    }
}

/// Tells the server a script.
pub(super) fn load(out: &mut Vec<u8>, code: &str) {
    out.array(3);
    [&b"SCRIPT"[..], b"LOAD", code.as_bytes()].into_iter().for_each(|word| out.bulk(word));
}

/// Asks whether the server was told a script.
pub(super) fn is_loaded(out: &mut Vec<u8>, sha: &str) {
    out.array(3);
    [&b"SCRIPT"[..], b"EXISTS", sha.as_bytes()].into_iter().for_each(|word| out.bulk(word));
}

/// The script of a request that is made by itself, if it is made by one.
pub(super) const fn script_of(verb: &Verb) -> Option<Script> {
    match verb {
        Verb::Inspect => Some(Script::Inspect),
        Verb::Force => Some(Script::Force),
        Verb::Scan { .. } => Some(Script::Scan),
        Verb::Look { .. } | Verb::Settle(_) | Verb::Wake { .. } => Some(Script::Join),
        Verb::Watch | Verb::Unwatch => None,
        Verb::Grant { .. } | Verb::Seal { .. } | Verb::Extend { .. } | Verb::Release => Some(Script::Turn),
    }
}

/// By its hash where the server was told the script over this connection, else by its text: two words.
fn call(out: &mut Vec<u8>, script: Script, loaded: bool) {
    if loaded {
        out.bulk(b"EVALSHA");
        out.bulk(script.sha().as_bytes());
    } else {
        out.bulk(b"EVAL");
        out.bulk(script.code().as_bytes());
    }
}

/// The parts of a command.
trait Words {
    fn array(&mut self, words: usize);
    fn bulk(&mut self, word: &[u8]);
    fn number(&mut self, number: u64);
}

impl Words for Vec<u8> {
    fn array(&mut self, words: usize) {
        self.push(b'*');
        self.extend_from_slice(itoa::Buffer::new().format(words).as_bytes());
        self.extend_from_slice(b"\r\n");
    }

    fn bulk(&mut self, word: &[u8]) {
        self.push(b'$');
        self.extend_from_slice(itoa::Buffer::new().format(word.len()).as_bytes());
        self.extend_from_slice(b"\r\n");
        self.extend_from_slice(word);
        self.extend_from_slice(b"\r\n");
    }

    fn number(&mut self, number: u64) {
        self.bulk(itoa::Buffer::new().format(number).as_bytes());
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
