//! [`Place`]: where the highest tokens are. Never shows a password.

use std::fmt;
use std::path::PathBuf;

/// A store, as `--store` names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    File(PathBuf),
    Redis(String),
    Sql(Database, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Database {
    Postgres,
    MySql,
    Sqlite,
}

const FORMS: &str = "write file:PATH, redis://host:6379, rediss://…, unix:///socket, postgres://user@host/database, \
     mysql://user@host/database or sqlite:PATH";

impl Place {
    /// The message does not repeat `text`, which may have a password in it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.trim().split_once(':') else {
            return Err(format!("--store names no kind of store: {FORMS}"));
        };
        let url = text.trim().to_owned();
        match scheme.to_ascii_lowercase().as_str() {
            "file" => {
                let path = rest.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(rest);
                match path {
                    "" => Err("--store file: names no file: write file:PATH".to_owned()),
                    path => Ok(Self::File(path.into())),
                }
            }
            "redis" | "rediss" | "unix" | "redis+unix" => Ok(Self::Redis(url)),
            "postgres" | "postgresql" => Ok(Self::Sql(Database::Postgres, url)),
            "mysql" | "mariadb" => Ok(Self::Sql(Database::MySql, url)),
            "sqlite" if rest.is_empty() => Err("--store sqlite: names no file: write sqlite:PATH".to_owned()),
            "sqlite" => Ok(Self::Sql(Database::Sqlite, url)),
            _ => Err(format!("--store names a kind of store that is not known: {FORMS}")),
        }
    }

    fn url(&self) -> &str {
        match self {
            Self::File(_) => "",
            Self::Redis(url) | Self::Sql(_, url) => url,
        }
    }

    /// `text` without anything that may be a password of the URL, written as there or as it is meant.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        let url = self.url();
        let after = url.split_once("://").map_or("", |(_, after)| after);
        let user_info = after.rsplit_once('@').map_or("", |(user_info, _)| user_info);
        let password = user_info.split_once(':').map_or("", |(_, password)| password);
        let queried = url.split_once('?').map_or("", |(_, query)| query).split('&');
        let queried = queried.filter_map(|pair| pair.split_once('=')).filter(|(name, _)| name.contains("pass"));
        let user_info = if password.is_empty() { "" } else { user_info };
        let secrets = [url, user_info, password].into_iter().chain(queried.map(|(_, value)| value));
        let secrets =
            secrets.flat_map(|secret| [secret.to_owned(), decoded(secret)]).filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(&secret, "***"))
    }
}

/// `%20` as a space, and so on; what is no text stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = || std::str::from_utf8(behind.get(..2)?).ok().and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, digits()) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Scheme, host and path: no user, no password, no options.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::File(path) = self {
            return write!(f, "{}", path.display());
        }
        let url = self.url();
        match url.split_once("://") {
            // A password may have any character in it: what is behind the last `@` has none of it.
            Some((scheme, after)) => {
                let place = after.rsplit_once('@').map_or(after, |(_, place)| place);
                let place = place.split('?').next().unwrap_or_default();
                // No port, so perhaps a password without a host behind it.
                let host = place.split('/').next().unwrap_or_default();
                let is_port = |port: &str| port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
                match host.rsplit_once(':') {
                    Some((_, port)) if !is_port(port) => write!(f, "{scheme}://…"),
                    _ => write!(f, "{scheme}://{place}"),
                }
            }
            None => f.write_str(url.split('?').next().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores() {
        let file = |path: &str| Ok(Place::File(path.into()));
        let sql = |database, url: &str| Ok(Place::Sql(database, url.to_owned()));
        for (text, expected) in [
            ("file:fence", file("fence")),
            ("file:/var/lib/fence", file("/var/lib/fence")),
            ("file:///var/lib/fence", file("/var/lib/fence")),
            ("redis://h:1", Ok(Place::Redis("redis://h:1".to_owned()))),
            ("postgresql://u:p@h/d", sql(Database::Postgres, "postgresql://u:p@h/d")),
            ("mariadb://h/d", sql(Database::MySql, "mariadb://h/d")),
            ("sqlite:data.db", sql(Database::Sqlite, "sqlite:data.db")),
        ] {
            assert_eq!(Place::parse(text), expected, "{text}");
        }
        for text in ["", "file:", "sqlite:", "h:6379", "oracle://u:s3cret@h", "/var/lib/fence"] {
            let error = Place::parse(text).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn passwords_are_never_shown() {
        for (url, shown) in [
            ("postgres://u:s3cret@h:5/d?sslmode=disable", "postgres://h:5/d"),
            ("postgres://h/d?user=u&password=s3cret", "postgres://h/d"),
            ("redis://:a@s3cret@h:1", "redis://h:1"),
            ("mysql://u:s3%63ret@h/d", "mysql://h/d"),
            ("mysql://u@[::1]/d", "mysql://[::1]/d"),
            ("mysql://u:s3cret", "mysql://…"),
        ] {
            let place = Place::parse(url).unwrap();
            assert_eq!(place.to_string(), shown);
            let said = place.without_secrets(&format!("cannot read {url}: \"s3cret\" or s3%63ret is wrong"));
            assert!(!said.contains("s3cret") || !url.contains(":s3cret@"), "{said}");
            assert!(!said.contains(url), "{said}");
        }
    }
}
