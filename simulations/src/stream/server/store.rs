//! [`Keyspace`]: the keys of one database, with their ends.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::sorted_set::SortedSet;

/// What a key holds.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Bytes),
    /// In the order in which the fields came, as in servers for small hashes.
    Hash(Vec<(Bytes, Bytes)>),
    /// Never empty between requests.
    SortedSet(SortedSet),
}

/// A value and its end.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) value: Value,
    /// In unix milliseconds; the key exists up to and including this one.
    pub(super) expires_at: Option<i64>,
}

/// All keys of one database, in the order of their hashes. A scan that goes on behind a hash finds every key that was
/// there all the time, whatever else is added or removed.
#[derive(Debug, Clone, Default)]
pub(super) struct Keyspace {
    entries: BTreeMap<Place, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    hash: u64,
    key: Bytes,
}

/// The sort key of an entry, without a copy of the key.
trait Spot {
    fn parts(&self) -> (u64, &[u8]);
}

impl Spot for Place {
    fn parts(&self) -> (u64, &[u8]) {
        (self.hash, &self.key)
    }
}

impl Spot for (u64, &[u8]) {
    fn parts(&self) -> (u64, &[u8]) {
        *self
    }
}

impl<'a> Borrow<dyn Spot + 'a> for Place {
    fn borrow(&self) -> &(dyn Spot + 'a) {
        self
    }
}

impl PartialEq for dyn Spot + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Spot + '_ {}

impl PartialOrd for dyn Spot + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Spot + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl Keyspace {
    /// The entry of `key`, unless it has expired: then it is gone for good.
    pub(super) fn get(&mut self, key: &Bytes, now_ms: i64) -> Option<&mut Entry> {
        let spot: &dyn Spot = &(hash(key), &key[..]);
        let ends = self.entries.get(spot)?.expires_at;
        if ends.is_some_and(|at| now_ms > at) {
            self.entries.remove(spot);
            return None;
        }
        self.entries.get_mut(spot)
    }

    pub(super) fn set(&mut self, key: &Bytes, value: Value, expires_at: Option<i64>) {
        let entry = Entry { value, expires_at };
        match self.entries.get_mut(&(hash(key), &key[..]) as &dyn Spot) {
            Some(before) => *before = entry,
            None => drop(self.entries.insert(Place { hash: hash(key), key: key.clone() }, entry)),
        }
    }

    /// A keyspace in which each of these keys has the same value, and no end. The keys must be sorted; see
    /// [`Keyspace::in_order`].
    pub(super) fn filled(keys: &[(u64, Bytes)], value: &Value) -> Self {
        let entry = Entry { value: value.clone(), expires_at: None };
        let places = keys.iter().map(|(hash, key)| (Place { hash: *hash, key: key.clone() }, entry.clone()));
        Self { entries: places.collect() }
    }

    /// Keys with their hashes, in the order in which they are kept.
    pub(super) fn in_order(keys: impl Iterator<Item = Bytes>) -> Vec<(u64, Bytes)> {
        let mut keys: Vec<_> = keys.map(|key| (hash(&key), key)).collect();
        keys.sort_unstable();
        keys
    }

    /// Whether there was something to remove.
    pub(super) fn remove(&mut self, key: &Bytes, now_ms: i64) -> bool {
        self.get(key, now_ms).is_some() && self.entries.remove(&(hash(key), &key[..]) as &dyn Spot).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Up to `count` keys from `cursor` on, and where to go on; 0 is the beginning and the end.
    pub(super) fn scan(&mut self, cursor: u64, count: usize, now_ms: i64) -> (u64, Vec<Bytes>) {
        let from = Place { hash: cursor, key: Bytes::new() };
        let mut places =
            self.entries.range::<Place, _>((Bound::Included(from), Bound::Unbounded)).map(|(place, _)| place.clone());
        let mut keys: Vec<Bytes> = Vec::new();
        let mut last = None;
        let mut next = 0;
        for place in &mut places {
            // Keys that share a hash come together: the cursor does not distinguish them.
            if keys.len() >= count && last != Some(place.hash) {
                next = place.hash;
                break;
            }
            last = Some(place.hash);
            keys.push(place.key);
        }
        drop(places);
        keys.retain(|key| self.get(key, now_ms).is_some());
        (next, keys)
    }
}

/// FNV-1a, never 0, and short enough to be read as a number by every client.
fn hash(key: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    (key.iter().fold(0xcbf2_9ce4_8422_2325, step) >> 16) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Bytes {
        format!("key{number}").into()
    }

    #[test]
    fn a_key_is_there_up_to_its_last_millisecond() {
        let mut keys = Keyspace::default();
        keys.set(&key(1), Value::Text(Bytes::new()), Some(100));
        assert!(keys.get(&key(1), 100).is_some());
        assert!(keys.get(&key(1), 101).is_none() && keys.get(&key(1), 99).is_none(), "it does not come back");
    }

    #[test]
    fn a_scan_misses_nothing_that_was_there_all_the_while() {
        let mut keys = Keyspace::default();
        (0..100).for_each(|n| keys.set(&key(n), Value::Text(Bytes::new()), None));
        let (mut cursor, mut seen, mut round) = (0, Vec::new(), 0);
        loop {
            let (next, found) = keys.scan(cursor, 7, 0);
            seen.extend(found);
            // The odd ones go, and others come.
            keys.remove(&key(2 * round + 1), 0);
            keys.set(&key(1_000 + round), Value::Text(Bytes::new()), None);
            (cursor, round) = (next, round + 1);
            if cursor == 0 {
                break;
            }
        }
        assert!(round > 5, "it took several steps");
        assert!((0..50).all(|n| seen.contains(&key(2 * n))));
    }
}
