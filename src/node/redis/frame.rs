//! Finds where one reply ends, in RESP2 and RESP3. The redis crate parses the reply itself.

/// Why bytes cannot become a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Garbled {
    /// They are not a reply.
    NoReply,
    /// The reply is larger or deeper than any that was asked for.
    TooLarge,
}

/// The greatest depth of replies inside of replies.
const DEPTH_MAX: usize = 16;
/// The longest line. Lines with a type and a length or a number are short; errors and texts can be longer, and are
/// bounded too.
const LINE_MAX: usize = 64 * 1024;
/// The longest reply. A step of a scan over locks with the longest names takes half of this.
const LEN_MAX: usize = 1024 * 1024;
/// The most parts of a reply, over all depths. Such a step has 1,501 parts or some more.
const PARTS_MAX: usize = 16 * 1024;

/// The length of the first reply in `bytes`; `None` if it is incomplete.
pub(super) fn len(bytes: &[u8]) -> Result<Option<usize>, Garbled> {
    let mut walk = Walk { bytes, at: 0, parts: PARTS_MAX };
    let ends = walk.skip(0)?;
    if walk.at > LEN_MAX || (!ends && bytes.len() > LEN_MAX) {
        return Err(Garbled::TooLarge);
    }
    Ok(ends.then_some(walk.at))
}

/// A walk over the parts of a reply.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many more parts may come.
    parts: usize,
}

impl Walk<'_> {
    /// Moves behind one reply; false if it is incomplete.
    fn skip(&mut self, depth: usize) -> Result<bool, Garbled> {
        if depth > DEPTH_MAX {
            return Err(Garbled::TooLarge);
        }
        let Some(rest) = self.bytes.get(self.at..) else { return Ok(false) };
        let Some(&kind) = rest.first() else { return Ok(false) };
        let Some(line) = rest.iter().take(LINE_MAX).position(|byte| *byte == b'\n') else {
            return if rest.len() >= LINE_MAX { Err(Garbled::NoReply) } else { Ok(false) };
        };
        // The parser ends a line only at CR LF. If the two disagreed, a part of this reply would stay in the parser.
        let text = rest.get(1..line).and_then(|text| text.strip_suffix(b"\r")).ok_or(Garbled::NoReply)?;
        self.at += line + 1;
        match kind {
            b'+' | b'-' | b':' | b',' | b'#' | b'_' | b'(' => Ok(true),
            b'$' | b'=' | b'!' => {
                // A negative length means null.
                if let Some(length) = number(text, LEN_MAX)? {
                    self.at += length + 2;
                }
                // A reply that would end too far away is refused at once.
                if self.at > LEN_MAX { Err(Garbled::TooLarge) } else { Ok(self.at <= self.bytes.len()) }
            }
            b'*' | b'~' | b'>' => self.parts(number(text, PARTS_MAX)?.unwrap_or(0), depth),
            b'%' => self.parts(2 * number(text, PARTS_MAX)?.unwrap_or(0), depth),
            // An attribute is followed by the value that it describes.
            b'|' => self.parts(2 * number(text, PARTS_MAX)?.unwrap_or(0) + 1, depth),
            _ => Err(Garbled::NoReply),
        }
    }

    fn parts(&mut self, count: usize, depth: usize) -> Result<bool, Garbled> {
        self.parts = self.parts.checked_sub(count).ok_or(Garbled::TooLarge)?;
        for _ in 0..count {
            if !self.skip(depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Reads a number; `None` for a negative one.
fn number(digits: &[u8], most: usize) -> Result<Option<usize>, Garbled> {
    if digits.first() == Some(&b'-') {
        return Ok(None);
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Garbled::NoReply);
    }
    let more = |number: usize, digit: &u8| number.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
    let number = digits.iter().fold(0, more);
    if number <= most { Ok(Some(number)) } else { Err(Garbled::TooLarge) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_where_it_ends_and_not_before() {
        for reply in [
            &b"+OK\r\n"[..],
            b":1\r\n",
            b"-ERR no\r\n",
            b"$-1\r\n",
            b"$0\r\n\r\n",
            b"$5\r\na\r\nbc\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"*3\r\n:1\r\n$1\r\nx\r\n*1\r\n_\r\n",
            b"%1\r\n+a\r\n:1\r\n",
            b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
            b"|1\r\n+ttl\r\n:3\r\n:7\r\n",
        ] {
            for end in 0..reply.len() {
                assert_eq!(len(&reply[..end]), Ok(None), "{:?}", &reply[..end]);
            }
            let more = [reply, b"+next\r\n"].concat();
            assert_eq!(len(&more), Ok(Some(reply.len())), "{reply:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_garbled() {
        let two_readings = b"*2\r\n+a\n*2\r\n+b\r\n:666\r\n";
        for bytes in [
            &b"HTTP/1.1 400\r\n"[..],
            b"$x\r\n",
            b"*+1\r\n",
            b"$\r\n",
            b"\n",
            b"+OK\n",
            two_readings,
            &[b'+'; LINE_MAX],
        ] {
            assert_eq!(len(bytes), Err(Garbled::NoReply), "{bytes:?}");
        }
    }

    #[test]
    fn r6_a_reply_that_pours_nests_or_announces_too_much_is_not_waited_for() {
        let many = [&b"*16000\r\n"[..], &b"*1000\r\n".repeat(2)].concat();
        for bytes in [
            &b"*99999999999\r\n"[..],
            b"*4611686018427387904\r\n",
            b"%9223372036854775807\r\n",
            b"|99999999999999999999999\r\n",
            b"$20000000\r\n",
            b"$18446744073709551615\r\n",
            &b"*1\r\n".repeat(20),
            &b"*1\r\n".repeat(1_000_000),
            &many,
            &[&b"*2\r\n$1000000\r\n"[..], &[b'x'; 1_000_000], b"\r\n$100000\r\n"].concat(),
        ] {
            assert_eq!(len(bytes), Err(Garbled::TooLarge), "{:?}", &bytes[..bytes.len().min(40)]);
        }
    }
}
