//! The names of keys on a server.

use std::sync::Arc;

use crate::{LockerId, Resource};

/// The first part of every key: `redfence` unless configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Checks `text` and takes it: 1 to 64 letters, digits, `_`, `-`, `.` or `:`.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        ((1..=64).contains(&text.len()) && text.chars().all(allowed)).then(|| Self(text.into()))
    }

    /// The lock of a resource. The braces keep it in one Redis Cluster slot with its counter.
    #[must_use]
    pub fn lock(&self, resource: &Resource) -> String {
        format!("{{{}:{}}}:lock:{resource}", self.0, resource.slot())
    }

    /// The resource whose lock this key is; `None` for every other key.
    #[must_use]
    pub fn resource_of(&self, lock: &str) -> Option<Resource> {
        let rest = lock.strip_prefix('{')?.strip_prefix(&*self.0)?.strip_prefix(':')?;
        let (_, name) = rest.split_once("}:lock:")?;
        // Another prefix may begin like this one, and anybody may write a key that looks like a lock's.
        Resource::new(name).ok().filter(|resource| self.lock(resource) == lock)
    }

    /// The queue of those who wait for a resource.
    #[must_use]
    pub fn queue(&self, resource: &Resource) -> String {
        format!("{{{}:{}}}:queue:{resource}", self.0, resource.slot())
    }

    /// The channel over which a locker is told that a lock is reserved for it.
    #[must_use]
    pub fn wake(&self, locker: LockerId) -> String {
        format!("{}:wake:{locker}", self.0)
    }

    /// The locker that is told over this channel; `None` for every other channel.
    #[must_use]
    pub fn locker_of(&self, channel: &str) -> Option<LockerId> {
        channel.strip_prefix(&*self.0)?.strip_prefix(":wake:")?.parse().ok()
    }

    /// The record of having been joined.
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
        format!("{{{}:{}}}:token", self.0, resource.slot())
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
