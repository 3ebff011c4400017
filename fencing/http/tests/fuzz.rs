//! Invalid headers: thousands by default; REDFENCE_FUZZ_CASES sets another number.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests say what they expect by panicking, as tests do"
)]

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;
use redfence::{FencingToken, Resource};
use redfence_http::Presented;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

fn cases() -> u32 {
    std::env::var("REDFENCE_FUZZ_CASES").map_or(5_000, |cases| cases.parse().expect("REDFENCE_FUZZ_CASES is a number"))
}

fn presented() -> impl Strategy<Value = Presented> {
    let name = prop_oneof!["[ -~]{1,40}", "\\PC{1,120}", "[\"\\\\%]{1,512}"];
    (name, 1..=FencingToken::MAX)
        .prop_map(|(name, token)| Presented::new(Resource::new(name).unwrap(), FencingToken::new(token).unwrap()))
}

/// From noise to almost valid headers, and valid headers with a few changed bytes.
fn values() -> impl Strategy<Value = Vec<u8>> {
    let changed = (presented(), proptest::collection::vec((any::<Index>(), 0..5_u8, any::<u8>()), 0..4));
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..2100),
        "resource=%?\"[ -~äö]{0,30}\"?; {0,3}token=\"?[0-9+. -]{0,18}\"?.{0,3}".prop_map(String::into_bytes),
        "resource=%\"(%[0-9a-fA-F]{2}|[a-z]){0,10}\";token=\"[1-9][0-9]{0,16}\"".prop_map(String::into_bytes),
        // A good header with something before it, in the middle or after it.
        ("[ ;,]{0,1}", "[ ;,]{0,2}", "[ ;,\"a0]{0,2}")
            .prop_map(|(a, b, c)| format!("{a}resource=\"a\";{b}token=\"7\"{c}").into_bytes()),
        changed.prop_map(|(presented, changes)| {
            let mut value = presented.to_string().into_bytes();
            for (at, change, byte) in changes {
                let at = at.index(value.len());
                match change {
                    0 => value[at] = byte,
                    1 => value[at] = b"\"\\%;=, 0aF"[usize::from(byte) % 10],
                    2 => value.insert(at, byte),
                    3 => value.truncate(at.max(1)),
                    _ => value.extend_from_within(at..),
                }
            }
            value
        }),
    ]
}

/// The same by an independent parser of structured fields.
fn as_structured_field(value: &[u8]) -> Option<(String, String)> {
    let dictionary: Dictionary = Parser::new(value).parse().ok()?;
    let mut members = dictionary.into_iter();
    let (key, ListEntry::Item(item)) = members.next()? else { return None };
    let name = match item.bare_item {
        BareItem::String(name) => name.as_str().to_owned(),
        BareItem::DisplayString(name) => name,
        _ => return None,
    };
    let mut parameters = item.params.into_iter();
    let (token, BareItem::String(number)) = parameters.next()? else { return None };
    let is_alone = members.next().is_none() && parameters.next().is_none();
    (is_alone && key.as_str() == "resource" && token.as_str() == "token").then(|| (name, number.as_str().to_owned()))
}

proptest! {
    #![proptest_config(Config { cases: cases(), failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_header_panics_and_what_passes_is_a_structured_field_that_says_the_same(value in values()) {
        match Presented::from_bytes(&value) {
            Ok(read) => {
                let (name, number) = as_structured_field(&value).expect("a structured field");
                prop_assert_eq!(&name, read.resource.as_str());
                prop_assert_eq!(&number, &read.token.to_string());
                prop_assert_eq!(Presented::from_bytes(read.to_header().as_bytes()).unwrap(), read);
            }
            Err(error) => prop_assert!(error.to_string().len() < 200, "{}", error),
        }
        prop_assert!(value.len() <= Presented::LEN_MAX || Presented::from_bytes(&value).is_err());
    }

    #[test]
    fn what_is_written_is_read_and_is_a_header(presented in presented()) {
        let header = presented.to_header();
        prop_assert!(header.len() <= Presented::LEN_MAX && header.to_str().is_ok());
        prop_assert_eq!(&Presented::from_bytes(header.as_bytes()).unwrap(), &presented);
        prop_assert!(as_structured_field(header.as_bytes()).is_some());
    }

    /// The other way round: our parser accepts every field of this form with a valid resource and token.
    #[test]
    fn a_structured_field_of_this_form_passes(name in "\\PC{0,200}", number in "[0-9]{1,17}", display in any::<bool>()) {
        let quoted = if display || !name.is_ascii() {
            let mut encoded = String::from("%\"");
            for byte in name.bytes() {
                if matches!(byte, b'%' | b'"') || !(b' '..=b'~').contains(&byte) {
                    encoded += &format!("%{byte:02x}");
                } else {
                    encoded.push(char::from(byte));
                }
            }
            encoded + "\""
        } else {
            format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
        };
        let value = format!("resource={quoted};token=\"{number}\"");
        let is_good = Resource::new(&name).is_ok()
            && number.parse::<FencingToken>().is_ok_and(|token| token.to_string() == number);
        prop_assert_eq!(value.parse::<Presented>().is_ok(), is_good, "{}", value);
    }
}
