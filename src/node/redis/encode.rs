//! Turns requests into the bytes that a server reads.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::keys::Prefix;
use super::script::Script;
use crate::WallTime;
use crate::protocol::{Next, Publish, Record, RecordUpdate, Subject, Verb};

/// The encoded parts of requests that depend only on the subject. All nodes share them.
#[derive(Debug)]
pub(super) struct EncodedRequest {
    bytes: Vec<u8>,
    /// The end of each part but the last.
    ends: [usize; Part::COUNT - 1],
}

/// The parts of an encoded request, in their order.
#[derive(Debug, Clone, Copy)]
enum Part {
    Lock,
    Counter,
    Queue,
    Holder,
    /// The entry of a queue.
    Entry,
}

impl Part {
    const COUNT: usize = 5;
}

impl EncodedRequest {
    /// The encoding of `subject`. A fan-out needs the same one several times in a row, so each thread keeps the last.
    pub(super) fn of(prefix: &Prefix, subject: &Arc<Subject>) -> Arc<Self> {
        type Encoded = (Arc<Subject>, Prefix, Arc<EncodedRequest>);
        thread_local! {
            static LAST: RefCell<Option<Encoded>> = const { RefCell::new(None) };
        }
        LAST.with_borrow_mut(|last| match last {
            Some((whose, its_prefix, encoded)) if Arc::ptr_eq(whose, subject) && its_prefix == prefix => {
                Arc::clone(encoded)
            }
            _ => {
                let encoded = Arc::new(Self::new(prefix, subject));
                *last = Some((Arc::clone(subject), prefix.clone(), Arc::clone(&encoded)));
                encoded
            }
        })
    }

    fn new(prefix: &Prefix, subject: &Subject) -> Self {
        let Subject { resource, holder, waiter } = subject;
        let mut encoded = Self { bytes: Vec::with_capacity(320), ends: [0; Part::COUNT - 1] };
        let mut text = String::with_capacity(128);
        let mut add = |part: Option<Part>, text: &mut String| {
            encoded.bytes.bulk(text.as_bytes());
            text.clear();
            if let Some(end) = part.and_then(|part| encoded.ends.get_mut(part as usize)) {
                *end = encoded.bytes.len();
            }
        };
        prefix.write_lock(&mut text, resource);
        add(Some(Part::Lock), &mut text);
        prefix.write_counter(&mut text, resource);
        add(Some(Part::Counter), &mut text);
        prefix.write_key(&mut text, "queue", resource);
        add(Some(Part::Queue), &mut text);
        holder.write(&mut text);
        add(Some(Part::Holder), &mut text);
        waiter.write(&mut text, holder.label().as_str());
        add(None, &mut text);
        encoded
    }

    fn part(&self, part: Part) -> &[u8] {
        let at = part as usize;
        let begin = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(at).copied().unwrap_or(self.bytes.len());
        self.bytes.get(begin..end).unwrap_or_default()
    }

    /// The keys that `verb` needs.
    fn keys(&self, verb: &Verb, waits: bool) -> [&[u8]; 2] {
        let both = [self.part(Part::Counter), self.part(Part::Queue)];
        match verb {
            Verb::Grant { waits: Some(_), .. } if waits => both,
            Verb::Force | Verb::Inspect => both,
            Verb::Release { .. } | Verb::Leave => [both[1], &[]],
            _ => [both[0], &[]],
        }
    }
}

/// Whether a request of this verb can share a script call with others.
pub(super) const fn is_batched(verb: &Verb) -> bool {
    matches!(
        verb,
        Verb::Grant { .. } | Verb::Seal { .. } | Verb::Extend { .. } | Verb::Release { .. } | Verb::Leave | Verb::Force
    )
}

/// Writes one script call for several requests, all of which pass [`is_batched`]. `waits` says whether a grant may
/// join the queue.
pub(super) fn batch<'a>(
    out: &mut Vec<u8>,
    loaded: bool,
    waits: bool,
    requests: impl ExactSizeIterator<Item = (&'a EncodedRequest, &'a Verb)> + Clone,
) {
    let words: usize = requests.clone().map(|(_, verb)| words(verb, waits)).sum();
    let keys: usize = requests.clone().map(|(_, verb)| keys(verb, waits)).sum();
    out.array(3 + keys + words);
    call(out, Script::Batch, loaded);
    out.number(keys as u64);
    for (encoded, verb) in requests.clone() {
        out.extend_from_slice(encoded.part(Part::Lock));
        encoded.keys(verb, waits).into_iter().for_each(|key| out.extend_from_slice(key));
    }
    for (encoded, verb) in requests {
        request(out, encoded, verb, waits);
    }
}

/// How many words [`request`] writes.
const fn words(verb: &Verb, waits: bool) -> usize {
    match verb {
        Verb::Grant { waits: Some(_), .. } if waits => 6,
        Verb::Grant { .. } | Verb::Release { next: Next::Rejoin { .. } } => 4,
        Verb::Seal { .. } | Verb::Extend { .. } | Verb::Leave => 3,
        _ => 2,
    }
}

/// How many keys [`request`] writes.
const fn keys(verb: &Verb, waits: bool) -> usize {
    match verb {
        Verb::Grant { waits: Some(_), .. } if waits => 3,
        Verb::Force => 3,
        _ => 2,
    }
}

fn request(out: &mut Vec<u8>, encoded: &EncodedRequest, verb: &Verb, may_wait: bool) {
    let mut letter = |letter: &[u8]| {
        out.bulk(letter);
        out.extend_from_slice(encoded.part(Part::Holder));
    };
    match *verb {
        Verb::Grant { ttl, floor, block, waits } => {
            let waits = waits.filter(|_| may_wait);
            let mut word = [0; 12];
            let what = waits.map_or(b'G', |waits| if waits.overrides { b'O' } else { b'W' });
            letter(letter_and(&mut word, what, itoa::Buffer::new().format(block)));
            out.number(whole_ms(ttl));
            out.number(floor);
            if let Some(waits) = waits {
                out.number(whole_us(waits.waited));
                out.extend_from_slice(encoded.part(Part::Entry));
            }
        }
        Verb::Seal { token } => {
            letter(b"S");
            out.number(token);
        }
        Verb::Extend { ttl } => {
            letter(b"E");
            out.number(whole_ms(ttl));
        }
        Verb::Release { next: Next::Queue(Publish::Nothing) } => letter(b"Q"),
        Verb::Release { next: Next::Queue(Publish::ToFirst) } => letter(b"R"),
        Verb::Release { next: Next::Queue(Publish::ToFirstTwo) } => letter(b"T"),
        Verb::Release { next: Next::Grant } => letter(b"K"),
        Verb::Release { next: Next::NoWaiter } => letter(b"N"),
        Verb::Release { next: Next::Rejoin { waited, wakes } } => {
            letter(if wakes { b"B" } else { b"M" });
            out.number(whole_us(waited));
            out.extend_from_slice(encoded.part(Part::Entry));
        }
        Verb::Leave => {
            letter(b"L");
            out.extend_from_slice(encoded.part(Part::Entry));
        }
        _ => letter(b"F"),
    }
}

fn letter_and<'a>(word: &'a mut [u8; 12], letter: u8, digits: &str) -> &'a [u8] {
    let (first, rest) = word.split_at_mut(1);
    first.fill(letter);
    rest.iter_mut().zip(digits.bytes()).for_each(|(place, digit)| *place = digit);
    word.get(..=digits.len()).unwrap_or_default()
}

/// Subscribes to the wakes of a locker.
pub(super) fn subscribe(out: &mut Vec<u8>, channel: &str) {
    out.array(2);
    [&b"SUBSCRIBE"[..], channel.as_bytes()].into_iter().for_each(|word| out.bulk(word));
}

/// Publishes an empty message: the reply tells whether that is permitted, and how many clients receive it.
pub(super) fn publish_nothing(out: &mut Vec<u8>, channel: &[u8]) {
    out.array(3);
    [&b"PUBLISH"[..], channel, b""].into_iter().for_each(|word| out.bulk(word));
}

/// Writes one request that is not batched.
pub(super) fn single(out: &mut Vec<u8>, prefix: &Prefix, loaded: bool, encoded: &EncodedRequest, verb: &Verb) {
    match *verb {
        Verb::Inspect => {
            out.array(7);
            call(out, Script::Inspect, loaded);
            out.number(3);
            out.extend_from_slice(encoded.part(Part::Lock));
            encoded.keys(verb, false).into_iter().for_each(|key| out.extend_from_slice(key));
            out.extend_from_slice(encoded.part(Part::Entry));
        }
        Verb::Scan { cursor, count, remove } => {
            let plain = prefix.style().pattern();
            out.array(8 + usize::from(plain.is_some()));
            call(out, Script::Scan, loaded);
            out.number(1);
            out.bulk(prefix.record().as_bytes());
            out.number(cursor);
            out.number(u64::from(count));
            out.bulk(prefix.as_str().as_bytes());
            out.number(u64::from(remove));
            plain.iter().for_each(|pattern| out.bulk(pattern.as_bytes()));
        }
        _ => join(out, prefix, loaded, verb),
    }
}

fn join(out: &mut Vec<u8>, prefix: &Prefix, loaded: bool, verb: &Verb) {
    let (name, max_ttl, wall) = match *verb {
        Verb::Initialize(ref update) => ("initialize", update.max_ttl, update.wall),
        Verb::Activate { max_ttl, wall } => ("activate", max_ttl, wall),
        Verb::Probe { max_ttl } => ("probe", max_ttl, WallTime::default()),
        _ => return,
    };
    let initializes = matches!(verb, Verb::Initialize(_));
    out.array(if initializes { 11 } else { 8 });
    call(out, Script::Join, loaded);
    out.number(1);
    out.bulk(prefix.record().as_bytes());
    out.bulk(name.as_bytes());
    out.bulk(prefix.as_str().as_bytes());
    out.number(whole_ms(max_ttl));
    out.number(wall.unix_us());
    if let Verb::Initialize(update) = verb {
        let RecordUpdate { seen, mark, rest, new, .. } = **update;
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

/// Loads a script into the server.
pub(super) fn load(out: &mut Vec<u8>, code: &str) {
    out.array(3);
    [&b"SCRIPT"[..], b"LOAD", code.as_bytes()].into_iter().for_each(|word| out.bulk(word));
}

/// Asks which of these scripts the server knows.
pub(super) fn are_loaded<'a>(out: &mut Vec<u8>, shas: impl ExactSizeIterator<Item = &'a str>) {
    out.array(2 + shas.len());
    [&b"SCRIPT"[..], b"EXISTS"].into_iter().chain(shas.map(str::as_bytes)).for_each(|word| out.bulk(word));
}

/// The script that a request needs.
pub(super) const fn script_of(verb: &Verb) -> Script {
    match verb {
        Verb::Inspect => Script::Inspect,
        Verb::Scan { .. } => Script::Scan,
        Verb::Probe { .. } | Verb::Initialize(_) | Verb::Activate { .. } => Script::Join,
        _ => Script::Batch,
    }
}

/// Calls a script by its hash if it was sent over this connection before, else by its text. Writes two words.
fn call(out: &mut Vec<u8>, script: Script, loaded: bool) {
    if loaded {
        out.bulk(b"EVALSHA");
        out.bulk(script.sha().as_bytes());
    } else {
        out.bulk(b"EVAL");
        out.bulk(script.code().as_bytes());
    }
}

/// Appends the parts of a command.
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

fn whole_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
