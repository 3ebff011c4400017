//! The test vectors, here and in Python, and both implementations on damaged tokens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests say what they expect by panicking, as tests do"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use redfence::{FencingToken, Resource, WallTime};
use redfence_signed_token::{Key, Keys, SignatureError, VECTORS};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
struct Signed {
    key_id: String,
    expires_ms: u64,
    token: String,
    resource: String,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    #[serde(flatten)]
    question: Question,
    outcome: String,
    signed: Option<Signed>,
}

/// The question to both implementations.
#[derive(Serialize, Deserialize, Debug, Clone)]
struct Question {
    keys: BTreeMap<String, String>,
    now_ms: u64,
    text: String,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Answer {
    outcome: String,
    #[serde(flatten)]
    signed: Option<Signed>,
}

#[test]
fn the_vectors_pass_here() {
    for Vector { name, question, outcome, signed } in serde_json::from_str::<Vec<Vector>>(VECTORS).unwrap() {
        assert_eq!(answer(&question), Answer { outcome, signed: signed.clone() }, "{name}");
        if let Some(Signed { key_id, expires_ms, token, resource }) = signed {
            let mut keys = keys(&question.keys);
            keys.sign_with(&key_id).unwrap();
            let (resource, token) = (Resource::new(resource).unwrap(), token.parse().unwrap());
            assert_eq!(keys.sign(&resource, token, WallTime::from_unix_ms(expires_ms)), question.text, "{name}");
        }
    }
}

#[test]
fn the_vectors_pass_in_python() {
    let output = python().arg(member().join("vectors.json")).output().expect(PYTHON_MISSING);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let rows = serde_json::from_str::<Vec<Vector>>(VECTORS).unwrap().len();
    assert_eq!(said.trim(), format!("{rows} passed, 0 failed"));
}

#[test]
fn both_implementations_say_the_same_of_damaged_tokens() {
    let mut runner = TestRunner::new(Config::default());
    let questions: Vec<Question> =
        (0..2_000).map(|_| damaged().new_tree(&mut runner).unwrap().current()).map(ask).collect();
    let lines: String = questions.iter().map(|q| serde_json::to_string(q).unwrap() + "\n").collect();

    let mut child =
        python().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect(PYTHON_MISSING);
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();

    let theirs: Vec<Answer> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(theirs.len(), questions.len());
    for (question, theirs) in questions.iter().zip(theirs) {
        assert_eq!(answer(question), theirs, "{question:?}");
    }
}

const PYTHON_MISSING: &str =
    "python3 is missing: install it (Debian and Ubuntu: apt-get install python3; macOS: brew install python3)";

fn member() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn python() -> Command {
    let mut command = Command::new("python3");
    command.args(["-B"]).arg(member().join("python/redfence_signed_token.py"));
    command
}

/// Texts close to a valid one: characters changed, removed or added; parts exchanged; also the unchanged text.
fn damaged() -> impl Strategy<Value = String> {
    let good =
        (1..=FencingToken::MAX, 0_u64..=3_000, "[a-zA-Z0-9:/ .äß東]{1,12}").prop_map(|(token, expires, name)| {
            let (resource, token) = (Resource::new(name).unwrap(), FencingToken::new(token).unwrap());
            keys(&known()).sign(&resource, token, WallTime::from_unix_ms(expires))
        });
    (good, proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<char>()), 0..3)).prop_map(
        |(good, changes)| {
            let mut chars: Vec<char> = good.chars().collect();
            for (at, change, char) in changes {
                let at = at.index(chars.len());
                match change {
                    0 => chars[at] = char,
                    1 => chars[at] = char::from(b'!' + (char as u32 % 94) as u8),
                    2 => chars.insert(at, char),
                    _ => drop(chars.remove(at)),
                }
            }
            chars.into_iter().collect()
        },
    )
}

fn known() -> BTreeMap<String, String> {
    BTreeMap::from([("a".to_owned(), "5a".repeat(32)), ("b".to_owned(), "00".repeat(32))])
}

fn ask(text: String) -> Question {
    Question { keys: known(), now_ms: 1_000, text }
}

fn keys(secrets: &BTreeMap<String, String>) -> Keys {
    let mut all = secrets.iter().map(|(id, hex)| Key::new(id, bytes(hex)).unwrap());
    let mut keys = Keys::new(all.next().unwrap());
    all.for_each(|key| keys.accept(key).unwrap());
    keys
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn answer(Question { keys: secrets, now_ms, text }: &Question) -> Answer {
    let (outcome, signed) = match keys(secrets).verify(text, WallTime::from_unix_ms(*now_ms)) {
        Ok(signed) => (
            "ok",
            Some(Signed {
                key_id: signed.key_id,
                expires_ms: signed.expires.unix_ms(),
                token: signed.token.to_string(),
                resource: signed.resource.to_string(),
            }),
        ),
        Err(SignatureError::Malformed { .. }) => ("malformed", None),
        Err(SignatureError::UnknownKey { .. }) => ("unknown_key", None),
        Err(SignatureError::BadMac) => ("bad_mac", None),
        Err(SignatureError::Expired { .. }) => ("expired", None),
        Err(other) => panic!("{other} has no code"),
    };
    Answer { outcome: outcome.to_owned(), signed }
}
