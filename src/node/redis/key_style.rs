//! [`KeyStyle`]: under which name a lock is stored on a server.

use std::fmt;
use std::str::FromStr;

use crate::Resource;

/// Under which name the lock of a resource is stored on a server. Counters, queues and records always have names of
/// redfence's own.
///
/// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
///
/// ```
/// use redfence::KeyStyle;
///
/// let pottery: KeyStyle = "plain:redlock:".parse()?;
/// assert_eq!(pottery, KeyStyle::Plain { prefix: "redlock:".into(), suffix: String::new() });
/// assert_eq!(pottery.to_string(), "plain:redlock:{}");
/// # Ok::<_, redfence::KeyStyleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeyStyle {
    /// `{redfence:<slot>}:lock:<resource>`. Other clients of locks do not know this name.
    #[default]
    Native,
    /// `<prefix><resource><suffix>`: the name that another client of locks uses. Both exclude each other if both store
    /// a lock as a string by `SET NX`, on the same nodes.
    Plain {
        /// What stands before the resource; often nothing.
        prefix: String,
        /// What stands after the resource; mostly nothing.
        suffix: String,
    },
}

/// What is wrong with the text of a [`KeyStyle`].
///
/// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key style {0:?} cannot be used: write native, plain, plain:PREFIX or plain:PREFIX{{}}SUFFIX, each part at \
         most 64 bytes, without blanks and control characters"
)]
pub struct KeyStyleError(String);

impl KeyStyle {
    /// The names that `redis-py`, `redsync`, `node-redlock` and `rslock` use: the resource itself.
    pub const PLAIN: Self = Self::Plain { prefix: String::new(), suffix: String::new() };
    /// The most bytes of the prefix, and of the suffix.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const PART_MAX: usize = 64;
    /// Where the resource stands in the text of a style.
    const PLACE: &str = "{}";

    /// The same style, if keys can have such names.
    ///
    /// # Errors
    ///
    /// [`KeyStyleError`] for a prefix or a suffix of more than 64 bytes, or with a blank or a
    /// control character.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn checked(self) -> Result<Self, KeyStyleError> {
        let is_good = |part: &String| {
            part.len() <= Self::PART_MAX && !part.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        match &self {
            Self::Plain { prefix, suffix } if !is_good(prefix) || !is_good(suffix) => {
                Err(KeyStyleError(self.to_string().chars().take(4 * Self::PART_MAX).collect()))
            }
            _ => Ok(self),
        }
    }

    /// The resource of a lock's key in the plain style; `None` for another key, and in the native style.
    pub(super) fn resource_of(&self, lock: &str) -> Option<Resource> {
        let Self::Plain { prefix, suffix } = self else { return None };
        Resource::new(lock.strip_prefix(&**prefix)?.strip_suffix(&**suffix)?).ok()
    }

    /// The pattern of SCAN that all plain keys match.
    pub(crate) fn pattern(&self) -> Option<String> {
        let Self::Plain { prefix, suffix } = self else { return None };
        Some(format!("{}*{}", literal(prefix), literal(suffix)))
    }
}

/// A pattern that matches this text alone.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if "*?[]\\".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// `native`, or `plain:PREFIX{}SUFFIX`.
impl fmt::Display for KeyStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.write_str("native"),
            Self::Plain { prefix, suffix } => write!(f, "plain:{prefix}{}{suffix}", Self::PLACE),
        }
    }
}

/// Reads `native`, `plain`, `plain:PREFIX` or `plain:PREFIX{}SUFFIX`.
impl FromStr for KeyStyle {
    type Err = KeyStyleError;

    fn from_str(text: &str) -> Result<Self, KeyStyleError> {
        let style = match text.split_once(':') {
            None if text == "native" => Self::Native,
            None if text == "plain" => Self::PLAIN,
            Some(("plain", name)) => {
                let (prefix, suffix) = name.split_once(Self::PLACE).unwrap_or((name, ""));
                Self::Plain { prefix: prefix.to_owned(), suffix: suffix.to_owned() }
            }
            _ => return Err(KeyStyleError(text.chars().take(4 * Self::PART_MAX).collect())),
        };
        style.checked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_is_read_as_it_is_written() {
        for (text, prefix, suffix) in [
            ("plain", "", ""),
            ("plain:", "", ""),
            ("plain:{}", "", ""),
            ("plain:redlock:", "redlock:", ""),
            ("plain:{app}:{}:lock", "{app}:", ":lock"),
        ] {
            let style: KeyStyle = text.parse().unwrap();
            assert_eq!(style, KeyStyle::Plain { prefix: prefix.into(), suffix: suffix.into() }, "{text}");
            assert_eq!(style.to_string().parse(), Ok(style), "{text}");
        }
        assert_eq!("native".parse(), Ok(KeyStyle::Native));
        let long = format!("plain:{}", "x".repeat(65));
        for bad in ["", "Plain", "plain;", "native:x", "plain:a b", "plain:\n", &long] {
            let error = bad.parse::<KeyStyle>().unwrap_err().to_string();
            assert!(error.contains("plain:PREFIX{}SUFFIX") && error.len() < 400, "{error}");
        }
    }

    #[test]
    fn a_plain_key_names_its_resource() {
        let style: KeyStyle = "plain:a:{}:z".parse().unwrap();
        assert_eq!(style.resource_of("a:job:z"), Resource::new("job").ok());
        for other in ["a:job", "job:z", "a:z", "a::z", ""] {
            assert_eq!(style.resource_of(other), None, "{other:?}");
        }
        assert_eq!(KeyStyle::Native.resource_of("job"), None);
    }

    #[test]
    fn a_pattern_takes_the_parts_literally() {
        let style: KeyStyle = "plain:[a]*{}?".parse().unwrap();
        assert_eq!(style.pattern().as_deref(), Some("\\[a\\]\\**\\?"));
        assert_eq!((KeyStyle::PLAIN.pattern().as_deref(), KeyStyle::Native.pattern()), (Some("*"), None));
    }
}
