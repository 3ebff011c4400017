//! F: no write is admitted whose token is below one that was admitted before. This has no assumptions.

use std::collections::HashMap;

use redfence::FencingToken;

use super::{Promise, Violation};
use crate::history::{History, Record};

pub(super) fn fenced(history: &History) -> Option<Violation> {
    let mut highest: HashMap<&str, FencingToken> = HashMap::new();
    for record in &history.records {
        let Record::Write { at_us, resource, token, admitted: true } = record else { continue };
        match highest.get(&**resource) {
            Some(highest) if token < highest => {
                let description = format!("a write with token {token} was admitted after one with token {highest}");
                return Some(Violation { promise: Promise::F, at_us: *at_us, description });
            }
            _ => highest.insert(resource, *token),
        };
    }
    None
}
