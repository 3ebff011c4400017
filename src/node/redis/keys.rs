//! [`Prefix`]: the names of keys and channels on a server.

use std::sync::Arc;

use super::key_style::KeyStyle;
use crate::{LockerId, Resource};

/// The first part of every key: `redfence` unless configured. With it, the [`KeyStyle`] of locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    text: Arc<str>,
    /// A style other than the native one.
    style: Option<Arc<KeyStyle>>,
}

impl Prefix {
    /// Checks `text` and makes it a prefix: 1 to 64 letters, digits, `_`, `-`, `.` or `:`.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        ((1..=64).contains(&text.len()) && text.chars().all(allowed)).then(|| Self { text: text.into(), style: None })
    }

    /// The same prefix, with locks under names of `style`.
    #[must_use]
    pub fn with_style(self, style: KeyStyle) -> Self {
        Self { style: (style != KeyStyle::Native).then(|| Arc::new(style)), ..self }
    }

    /// Under which names locks are stored.
    #[must_use]
    pub fn style(&self) -> &KeyStyle {
        self.style.as_deref().unwrap_or(&KeyStyle::Native)
    }

    /// The lock of a resource. In the native style the braces keep it in one Redis Cluster slot with its counter.
    #[must_use]
    pub fn lock(&self, resource: &Resource) -> String {
        let mut key = String::new();
        self.write_lock(&mut key, resource);
        key
    }

    /// Appends the key of the lock.
    pub(super) fn write_lock(&self, to: &mut String, resource: &Resource) {
        match self.style() {
            KeyStyle::Native => self.write_key(to, "lock", resource),
            KeyStyle::Plain { prefix, suffix } => {
                [&**prefix, resource.as_str(), &**suffix].into_iter().for_each(|part| to.push_str(part));
            }
        }
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
        ["{", &self.text, ":", digits.format(resource.slot()), "}"].into_iter().for_each(|part| to.push_str(part));
    }

    /// The resource of a lock's key; `None` for every other key.
    #[must_use]
    pub fn resource_of(&self, lock: &str) -> Option<Resource> {
        if self.style.is_some() {
            return self.style().resource_of(lock);
        }
        let rest = lock.strip_prefix('{')?.strip_prefix(&*self.text)?.strip_prefix(':')?;
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
        format!("{}:wake:{locker}", self.text)
    }

    /// The locker of a wake channel; `None` for every other channel.
    #[must_use]
    pub fn locker_of(&self, channel: &str) -> Option<LockerId> {
        channel.strip_prefix(&*self.text)?.strip_prefix(":wake:")?.parse().ok()
    }

    /// The key of the record that says that the node was joined.
    #[must_use]
    pub fn record(&self) -> String {
        format!("{}:node", self.text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
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
        Self { text: "redfence".into(), style: None }
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
        let plain = Prefix::default().with_style("plain:redlock:".parse().unwrap());
        assert_eq!(plain.lock(&resource), "redlock:invoice:42");
        assert_eq!(plain.resource_of("redlock:invoice:42"), Some(resource.clone()));
        assert_eq!(plain.resource_of(&Prefix::default().lock(&resource)), None);
        assert_eq!(plain.counter(&resource), Prefix::default().counter(&resource), "only locks have plain names");
        assert_eq!(plain.queue(&resource), Prefix::default().queue(&resource));
        assert_eq!(Prefix::default().with_style(KeyStyle::Native), Prefix::default());
        assert!(Prefix::new("").is_none() && Prefix::new("a b").is_none() && Prefix::new("a{b}").is_none());
    }
}
