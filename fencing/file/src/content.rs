//! The content of a fence file: readable text with a checksum at the end, so that a part is never taken for the whole
//! file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crc::{CRC_32_ISO_HDLC, Crc};
use redfence::{FencingToken, Resource};

const CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const HEAD: &str = "redfence fence 1";

/// The highest token of each resource.
pub(crate) type Tokens = BTreeMap<Resource, FencingToken>;

/// The text of the file.
pub(crate) fn print(tokens: &Tokens) -> String {
    let mut text = format!("{HEAD}\n");
    for (resource, token) in tokens {
        // Writing to a string cannot fail. A name has no control characters, so it ends where its line does.
        let _ = writeln!(text, "{token} {resource}");
    }
    let sum = CRC32.checksum(text.as_bytes());
    let _ = writeln!(text, "end {} {sum:08x}", tokens.len());
    text
}

/// Reads the text of a file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Tokens, String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text, so it is not a fence file".to_owned())?;
    if text.lines().next() != Some(HEAD) {
        return Err(format!("it does not begin with {HEAD:?}, so it is not a fence file of this version"));
    }
    let cut = || "it is cut: its last line, with the sum, is not there".to_owned();
    let whole = text.strip_suffix('\n').ok_or_else(cut)?;
    let (body, end) = whole.rsplit_once('\n').ok_or_else(cut)?;
    let sum = CRC32.checksum(format!("{body}\n").as_bytes());
    let mut tokens = Tokens::new();
    for (number, line) in (2..).zip(body.lines().skip(1)) {
        let entry = line.split_once(' ').and_then(|(token, name)| Some((name.parse().ok()?, token.parse().ok()?)));
        let (resource, token): (Resource, FencingToken) =
            entry.ok_or_else(|| format!("line {number} is not a token and a name"))?;
        if tokens.insert(resource, token).is_some() {
            return Err(format!("line {number} names a resource again"));
        }
    }
    if !end.starts_with("end ") {
        return Err(cut());
    }
    if end != format!("end {} {sum:08x}", tokens.len()) {
        return Err("its sum is wrong: it was edited, or is damaged".to_owned());
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Tokens {
        let entry = |(name, token)| (Resource::new(name).unwrap(), FencingToken::new(token).unwrap());
        [("orders/42", 1_882_557_276_749_825), (" a  b ", 1), ("ü", FencingToken::MAX), ("end 0 00000000", 7)]
            .map(entry)
            .into()
    }

    #[test]
    fn what_is_printed_is_read() {
        for tokens in [Tokens::new(), some()] {
            assert_eq!(parse(print(&tokens).as_bytes()), Ok(tokens));
        }
        // The example of the README; the sum is that of Python's zlib.crc32 over the lines before.
        let one = [(Resource::new("orders/42").unwrap(), FencingToken::new(1_882_557_276_749_825).unwrap())].into();
        assert!(include_str!("../README.md").contains(&format!("```text\n{}```", print(&one))));
        assert_eq!(print(&Tokens::new()), "redfence fence 1\nend 0 19cf76c6\n");
    }

    #[test]
    fn no_part_and_no_other_text_is_read() {
        let whole = print(&some()).into_bytes();
        for len in 0..whole.len() {
            parse(&whole[..len]).expect_err("a part");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut other = whole.clone();
                other[at] ^= 1 << bit;
                parse(&other).expect_err("one bit is another");
            }
        }
        for foreign in
            ["", "\n", "7\n", "redfence fence 2\nend 0 00000000\n", "redfence fence 1\n", "redfence fence 1\nend 0 0\n"]
        {
            parse(foreign.as_bytes()).expect_err(foreign);
        }
        parse(&[whole.clone(), whole].concat()).expect_err("twice");
    }
}
