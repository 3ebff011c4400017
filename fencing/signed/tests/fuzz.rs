//! Texts without a valid signature: thousands by default; REDFENCE_FUZZ_CASES sets another number.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests say what they expect by panicking, as tests do"
)]

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::Config;
use redfence::{FencingToken, Resource, WallTime};
use redfence_signed_token::{Key, Keys, SignedToken};

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::new(Key::new("k", vec![0x5a; 32]).unwrap()));

fn cases() -> u32 {
    std::env::var("REDFENCE_FUZZ_CASES").map_or(5_000, |cases| cases.parse().expect("REDFENCE_FUZZ_CASES is a number"))
}

/// From noise to almost valid tokens.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,100}",
        "redfence1(\\.[a-zA-Z0-9_-]{0,50}){4,6}",
        "redfence1\\.k\\.[0-9]{1,17}\\.[0-9]{1,17}\\.[a-zA-Z0-9_-]{2,20}\\.[a-zA-Z0-9_-]{42}[AEIMQUYcgkosw048]",
        "redfence1\\.k\\.[1-9][0-9]{12}\\.[1-9][0-9]{14}\\.b3JkZXJzLzQy\\.[a-zA-Z0-9_-]{42}A",
        proptest::collection::vec(any::<char>(), 0..900).prop_map(|chars| chars.into_iter().collect()),
    ]
}

proptest! {
    #![proptest_config(Config { cases: cases(), failure_persistence: None, ..Config::default() })]

    #[test]
    fn nothing_unsigned_passes_and_nothing_panics(text in texts(), now in any::<u64>()) {
        let refused = KEYS.verify(&text, WallTime::from_unix_us(now)).unwrap_err();
        prop_assert!(refused.to_string().len() < 200, "{}", refused);
    }

    #[test]
    fn what_was_signed_passes_until_it_expires_and_fits_the_bound(
        name in "\\PC{1,128}", token in 1..=FencingToken::MAX, expires in 1..u64::MAX,
    ) {
        let (resource, token) = (Resource::new(name).unwrap(), FencingToken::new(token).unwrap());
        let text = KEYS.sign(&resource, token, WallTime::from_unix_us(expires));
        prop_assert!(text.len() <= SignedToken::LEN_MAX);
        let read = KEYS.verify(&text, WallTime::from_unix_us(0));
        if expires < 1000 {
            prop_assert!(read.is_err());
        } else {
            let read = read.unwrap();
            prop_assert_eq!((&read.resource, read.token, read.key_id.as_str()), (&resource, token, "k"));
            prop_assert!(read.expires <= WallTime::from_unix_us(expires));
            prop_assert!(KEYS.verify(&text, read.expires).is_err());
        }
    }
}
