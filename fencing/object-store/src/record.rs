//! The line in front of the content: token, number of the claim, and which write the content is from.

use bytes::Bytes;
use redfence::FencingToken;
use redfence_claim::{ClaimError, digits, from_digits};

use crate::Error;

const FIRST_WORD: &str = "redfence-1";
/// A line is shorter than this, so only this much of a foreign object is searched.
const LINE_MAX: usize = 128;

/// The author of a content: the number of a claim, and of a write under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Author {
    claim: u64,
    write: u64,
}

/// No two objects in the life of one path have the same record: a claim increases `claim`, a write sets a new `author`.
/// So an ETag that is a hash of the object never repeats, and a write can be recognized when it is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) token: FencingToken,
    pub(crate) claim: u64,
    pub(crate) author: Author,
    /// `false`: the content was deleted, or there never was one.
    pub(crate) present: bool,
}

impl Record {
    /// The record of a path's first claim.
    pub(crate) const fn first(token: FencingToken) -> Self {
        Self { token, claim: 1, author: Author { claim: 0, write: 0 }, present: false }
    }

    /// The same content under a new claim.
    pub(crate) fn claimed(self, token: FencingToken) -> Result<Self, Error> {
        let claim = self.claim.checked_add(1).ok_or(ClaimError::NotAFence)?;
        Ok(Self { token, claim, ..self })
    }

    /// A new content under this claim, its `write`th one.
    pub(crate) const fn written(self, write: u64, present: bool) -> Self {
        Self { author: Author { claim: self.claim, write }, present, ..self }
    }

    pub(crate) fn line(&self) -> String {
        let Author { claim, write } = self.author;
        let content = if self.present { "present" } else { "absent" };
        format!("{FIRST_WORD} {} {} {claim}.{write} {content}\n", digits(self.token), self.claim)
    }

    /// The record and the content of an object.
    pub(crate) fn divide(object: &Bytes) -> Result<(Self, Option<Bytes>), Error> {
        let end = object.iter().take(LINE_MAX).position(|&byte| byte == b'\n').ok_or(ClaimError::NotAFence)?;
        let record = object.get(..end).and_then(parse).ok_or(ClaimError::NotAFence)?;
        let content = object.slice(end + 1..);
        if record.present {
            return Ok((record, Some(content)));
        }
        if content.is_empty() { Ok((record, None)) } else { Err(ClaimError::NotAFence) }
    }
}

fn parse(line: &[u8]) -> Option<Record> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let first = words.next()?;
    let token = from_digits::<object_store::Error>(words.next()?.as_bytes()).ok()?;
    let claim = number(words.next()?)?;
    let (of, write) = words.next()?.split_once('.')?;
    let author = Author { claim: number(of)?, write: number(write)? };
    let present = match words.next()? {
        "present" => true,
        "absent" => false,
        _ => return None,
    };
    let record = Record { token, claim, author, present };
    (first == FIRST_WORD && words.next().is_none() && author.claim <= claim).then_some(record)
}

/// A number as it is printed: no sign, no zero in front.
fn number(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divide(object: &str) -> Result<(Record, Option<Bytes>), Error> {
        Record::divide(&Bytes::copy_from_slice(object.as_bytes()))
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let token = FencingToken::new(42).unwrap();
        let first = Record::first(token);
        assert_eq!(first.line(), "redfence-1 0000000000000042 1 0.0 absent\n");
        assert_eq!(divide(&first.line()).unwrap(), (first, None));
        let written = first.claimed(FencingToken::new(43).unwrap()).unwrap().written(3, true);
        assert_eq!(written.line(), "redfence-1 0000000000000043 2 2.3 present\n");
        let object = format!("{}line\nline\n", written.line());
        assert_eq!(divide(&object).unwrap(), (written, Some(Bytes::from_static(b"line\nline\n"))));
        assert_eq!(divide(&written.line()).unwrap(), (written, Some(Bytes::new())));
        let greatest = Record { claim: u64::MAX, author: Author { claim: u64::MAX, write: u64::MAX }, ..written };
        assert!(greatest.line().len() <= LINE_MAX);
        assert_eq!(divide(&greatest.line()).unwrap().0, greatest);
        assert!(matches!(greatest.claimed(token), Err(ClaimError::NotAFence)));
    }

    #[test]
    fn what_others_wrote_is_not_a_fence() {
        for object in [
            "",
            "\n",
            "{\"value\":1}\n",
            "redfence-1 0000000000000042 1 0.0 absent",
            "redfence-1 0000000000000042 1 0.0 absent\ncontent",
            "redfence-1 42 1 0.0 absent\n",
            "redfence-1 0000000000000000 1 0.0 absent\n",
            "redfence-1 0000000000000042 01 0.0 absent\n",
            "redfence-1 0000000000000042 +1 0.0 absent\n",
            "redfence-1 0000000000000042 1 2.0 absent\n",
            "redfence-1 0000000000000042 1 0.0 absent \n",
            "redfence-1 0000000000000042 1 0.0 gone\n",
            "redfence-2 0000000000000042 1 0.0 absent\n",
            "redfence-1  0000000000000042 1 0.0 absent\n",
        ] {
            assert!(matches!(divide(object), Err(ClaimError::NotAFence)), "{object:?}");
        }
        assert!(matches!(divide(&"x".repeat(10_000)), Err(ClaimError::NotAFence)));
    }
}
