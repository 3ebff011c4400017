//! [`Prefix`]: the names of keys and channels on a server.

use std::sync::Arc;

use crate::{LockerId, Resource};

/// The first part of every key: `redfence` unless configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Checks `text` and makes it a prefix: 1 to 64 letters, digits, `_`, `-`, `.` or `:`.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        ((1..=64).contains(&text.len()) && text.chars().all(allowed)).then(|| Self(text.into()))
    }

    /// The lock of a resource. The braces keep it in one Redis Cluster slot with its counter.
    #[must_use]
    pub fn lock(&self, resource: &Resource) -> String {
        self.key("lock", resource)
    }

    fn key(&self, kind: &str, resource: &Resource) -> String {
        let mut key = String::new();
        self.write_key(&mut key, kind, resource);
        key
    }

    /// Appends a key of one kind. It avoids the formatting machinery, because every request has keys.
    pub(super) fn write_key(&self, to: &mut String, kind: &str, resource: &Resource) {
        self.write_slot(to, resource);
        [":", kind, ":", resource.as_str()].into_iter().for_each(|part| to.push_str(part));
    }

    /// Appends the key of the counter.
    pub(super) fn write_counter(&self, to: &mut String, resource: &Resource) {
        self.write_slot(to, resource);
        to.push_str(":token");
    }

    fn write_slot(&self, to: &mut String, resource: &Resource) {
        let mut digits = itoa::Buffer::new();
        ["{", &self.0, ":", digits.format(resource.slot()), "}"].into_iter().for_each(|part| to.push_str(part));
    }

    /// The resource of a lock's key; `None` for every other key.
    #[must_use]
    pub fn resource_of(&self, lock: &str) -> Option<Resource> {
        let rest = lock.strip_prefix('{')?.strip_prefix(&*self.0)?.strip_prefix(':')?;
        let (_, name) = rest.split_once("}:lock:")?;
        // Another prefix may begin like this one, and any client may write a key that looks like a lock's.
        Resource::new(name).ok().filter(|resource| self.lock(resource) == lock)
    }

    /// The queue of a resource.
    #[must_use]
    pub fn queue(&self, resource: &Resource) -> String {
        self.key("queue", resource)
    }

    /// The channel for the wakes of a locker.
    #[must_use]
    pub fn wake(&self, locker: LockerId) -> String {
        format!("{}:wake:{locker}", self.0)
    }

    /// The locker of a wake channel; `None` for every other channel.
    #[must_use]
    pub fn locker_of(&self, channel: &str) -> Option<LockerId> {
        channel.strip_prefix(&*self.0)?.strip_prefix(":wake:")?.parse().ok()
    }

    /// The key of the record that says that the node was joined.
    #[must_use]
    pub fn record(&self) -> String {
        format!("{}:node", self.0)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The counter of the resource's slot.
    #[must_use]
    pub fn counter(&self, resource: &Resource) -> String {
        let mut key = String::new();
        self.write_counter(&mut key, resource);
        key
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("redfence".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_documented() {
        let resource = Resource::new("invoice:42").unwrap();
        let slot = resource.slot();
        assert_eq!(Prefix::default().lock(&resource), format!("{{redfence:{slot}}}:lock:invoice:42"));
        assert_eq!(Prefix::new("app").unwrap().counter(&resource), format!("{{app:{slot}}}:token"));
        assert_eq!(Prefix::default().resource_of(&Prefix::default().lock(&resource)), Some(resource.clone()));
        for foreign in
            [&*Prefix::new("redfence:7").unwrap().lock(&resource), "{redfence:x}:lock:invoice:42", "lock", ""]
        {
            assert_eq!(Prefix::default().resource_of(foreign), None, "{foreign:?}");
        }
        assert!(Prefix::new("").is_none() && Prefix::new("a b").is_none() && Prefix::new("a{b}").is_none());
    }
}
