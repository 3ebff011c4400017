//! Where one reply ends and the next one begins, in RESP2 and RESP3. The reply itself is parsed by the redis crate.

/// Bytes that are no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Garbled;

/// Replies inside of replies, at most.
const DEPTH_MAX: usize = 16;
/// The longest line that tells a type and a length or a number: longer ones are errors and texts, which are bounded as well.
const LINE_MAX: usize = 64 * 1024;

/// How long the first reply in `bytes` is; `None` while its end is not there yet.
pub(super) fn len(bytes: &[u8]) -> Result<Option<usize>, Garbled> {
    let mut at = 0;
    Ok(skip(bytes, &mut at, 0)?.then_some(at))
}

/// Moves `at` behind one reply; false if it is not all there.
fn skip(bytes: &[u8], at: &mut usize, depth: usize) -> Result<bool, Garbled> {
    if depth > DEPTH_MAX {
        return Err(Garbled);
    }
    let Some(rest) = bytes.get(*at..) else { return Ok(false) };
    let Some(&kind) = rest.first() else { return Ok(false) };
    let Some(line) = rest.iter().take(LINE_MAX).position(|byte| *byte == b'\n') else {
        return if rest.len() >= LINE_MAX { Err(Garbled) } else { Ok(false) };
    };
    let text = rest.get(1..line.saturating_sub(1)).ok_or(Garbled)?;
    *at += line + 1;
    match kind {
        b'+' | b'-' | b':' | b',' | b'#' | b'_' | b'(' => Ok(true),
        b'$' | b'=' | b'!' => {
            // A negative length stands for nothing at all.
            if let Some(length) = number(text)? {
                *at += length + 2;
            }
            Ok(*at <= bytes.len())
        }
        b'*' | b'~' | b'>' => parts(bytes, at, number(text)?.unwrap_or(0), depth),
        b'%' => parts(bytes, at, 2 * number(text)?.unwrap_or(0), depth),
        // An attribute goes before what it is about.
        b'|' => parts(bytes, at, 2 * number(text)?.unwrap_or(0) + 1, depth),
        _ => Err(Garbled),
    }
}

fn parts(bytes: &[u8], at: &mut usize, count: usize, depth: usize) -> Result<bool, Garbled> {
    for _ in 0..count {
        if !skip(bytes, at, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The number; `None` for a negative one.
fn number(digits: &[u8]) -> Result<Option<usize>, Garbled> {
    /// No server sends more in one piece.
    const MAX: usize = 512 * 1024 * 1024;
    if digits.first() == Some(&b'-') {
        return Ok(None);
    }
    let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(Garbled)?;
    if number <= MAX { Ok(Some(number)) } else { Err(Garbled) }
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
        for bytes in
            [&b"HTTP/1.1 400\r\n"[..], b"$x\r\n", b"*99999999999\r\n", b"\n", &[b'*', b'1', b'\r', b'\n'].repeat(20)]
        {
            assert_eq!(len(bytes), Err(Garbled), "{bytes:?}");
        }
    }
}
