//! [`Vanished`]: whose locks vanished on a node that did not rest, and since when.

use std::collections::HashMap;

use crate::history::{History, Micros, Record};

/// When the first lock of each holder vanished.
pub(super) struct Vanished<'a>(HashMap<&'a str, Micros>);

impl<'a> Vanished<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let mut first: HashMap<&str, Micros> = HashMap::new();
        for record in &history.records {
            if let Record::Vanished { at_us, holder, .. } = record {
                first.entry(holder).or_insert(*at_us);
            }
        }
        Self(first)
    }

    /// Whether a lock of `holder` had vanished by then.
    pub(super) fn by(&self, holder: &str, at_us: Micros) -> bool {
        self.0.get(holder).is_some_and(|first| *first <= at_us)
    }
}
