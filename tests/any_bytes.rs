//! Any text given as a URL, a token, a holder or a name is accepted, or refused with a short sentence. Nothing panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use redfence::node::redis::{Address, Prefix};
use redfence::{FencingToken, Holder, HolderId, Label, LockState, LockerId, QueueEntry, Resource};

/// Part of every password; it must appear nowhere.
const SECRET: &str = "Zq7Xsecret";

/// Some thousand by default; REDFENCE_FUZZ_CASES sets another number.
fn run<S: Strategy>(strategy: &S, test: impl Fn(S::Value)) {
    let cases = std::env::var("REDFENCE_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(4_096);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let outcome = TestRunner::new(config).run(strategy, |input| {
        test(input);
        Ok(())
    });
    outcome.unwrap();
}

/// Text of `parts` in any order, with any characters in between.
fn text(parts: &'static [&'static str]) -> impl Strategy<Value = String> {
    let part = prop_oneof![
        12 => select(parts).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => vec(any::<u8>(), 0..6).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ];
    vec(part, 0..16).prop_map(|parts| parts.concat())
}

#[test]
fn r11_any_url_is_accepted_or_refused_without_showing_it() {
    let parts = &[
        "redis",
        "rediss",
        "unix",
        "valkey",
        "://",
        ":",
        "/",
        "?",
        "#",
        "@",
        "&",
        "=",
        "%",
        "%2F",
        "%ff",
        "+",
        ",",
        "[",
        "]",
        "::1",
        "host",
        "127.0.0.1",
        "6379",
        "0",
        "3",
        "99999",
        "db",
        "user",
        "pass",
        "protocol",
        "resp2",
        SECRET,
        "insecure",
        " ",
        "..",
        "redis://:",
        "redis://u:",
        "unix:///a?",
    ];
    run(&text(parts), |url| match Address::parse(&url) {
        Ok(address) => {
            assert!(address.database() >= 0);
            // The host comes after the last `@`, or directly after the scheme.
            let shown = format!("{address} {address:?}");
            let behind = url.rsplit_once('@').map_or(url.as_str(), |(_, host)| host);
            assert!(!shown.contains(SECRET) || behind.contains(SECRET), "{url:?}: {shown}");
        }
        Err(error) => {
            let said = format!("{error} {error:?}");
            assert!(!said.contains(SECRET) && said.len() < 600, "{url:?}: {said}");
        }
    });
}

#[test]
fn r6_any_text_is_a_token_a_holder_a_waiter_or_none() {
    let parts = &[
        "0",
        "1",
        "9",
        "+",
        "-",
        ".",
        "e",
        "18446744073709551615",
        "9007199254740992",
        "1784000000000000",
        "next:",
        ":",
        " ",
        "ab000000000000000000000000000000",
        "00000000000000ab",
        "{",
        "}",
        "-0",
        "\u{202e}",
        "\0",
        "\n",
        "label",
    ];
    run(&text(parts), |text| {
        if let Ok(token) = text.parse::<FencingToken>() {
            assert_eq!(token.to_string().parse::<FencingToken>().unwrap(), token);
        }
        if let Ok(holder) = text.parse::<Holder>() {
            assert_eq!(holder.to_string().parse::<Holder>().unwrap(), holder);
        }
        if let Ok(id) = text.parse::<HolderId>() {
            assert_eq!(id.to_string().parse::<HolderId>().unwrap(), id);
        }
        if let Ok(locker) = text.parse::<LockerId>() {
            assert_eq!(locker.to_string().parse::<LockerId>().unwrap(), locker);
        }
        if let Ok(resource) = Resource::new(&text) {
            assert_eq!(Prefix::default().resource_of(&Prefix::default().lock(&resource)), Some(resource));
        }
        let _ = (Label::new(&text), Prefix::new(&text), Prefix::default().resource_of(&text));
        let _ = (QueueEntry::parse(&text), LockState::of_value(text.as_bytes()), Prefix::default().locker_of(&text));
    });
}
