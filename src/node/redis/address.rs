//! [`Address`]: where a server is and how to log in, read from a URL.

use std::fmt;
use std::path::PathBuf;

use redis::RedisConnectionInfo;

/// The address of a server, with the login. It prints without user and password.
#[derive(Clone)]
pub struct Address {
    pub(super) endpoint: Endpoint,
    pub(super) login: RedisConnectionInfo,
}

/// The place to connect to.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16 },
    Unix(PathBuf),
}

impl Address {
    /// The number of the database.
    #[must_use]
    pub fn database(&self) -> i64 {
        self.login.db()
    }

    /// Whether the connection is safe from eavesdroppers: TLS, a Unix socket, or loopback.
    pub(super) fn is_private(&self) -> bool {
        match &self.endpoint {
            Endpoint::Tls { .. } | Endpoint::Unix(_) => true,
            Endpoint::Tcp { host, .. } => {
                let ip = host.parse::<std::net::IpAddr>();
                host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
            }
        }
    }

    /// Whether both addresses name one server, with any database and user. Two names of one server are one node.
    #[must_use]
    pub fn is_same_server(&self, other: &Self) -> bool {
        match (&self.endpoint, &other.endpoint) {
            (Endpoint::Unix(one), Endpoint::Unix(two)) => one == two,
            (
                Endpoint::Tcp { host, port } | Endpoint::Tls { host, port },
                Endpoint::Tcp { host: host2, port: port2 } | Endpoint::Tls { host: host2, port: port2 },
            ) => host.eq_ignore_ascii_case(host2) && port == port2,
            _ => false,
        }
    }
}

/// Writes `host:port` or the socket's path, without user and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Tcp { host, port } | Endpoint::Tls { host, port } => match host.contains(':') {
                true => write!(f, "[{host}]:{port}"),
                false => write!(f, "{host}:{port}"),
            },
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, shown) in [
            ("redis://127.0.0.1:7001", "127.0.0.1:7001"),
            ("redis://user:secret@cache-1:6379/2", "cache-1:6379"),
            ("redis://[::1]:7001", "[::1]:7001"),
            ("unix:///run/redis.sock?db=1&pass=secret", "/run/redis.sock"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("secret"));
        }
    }

    #[test]
    fn one_server_under_two_names() {
        let same = |a: &str, b: &str| Address::parse(a).unwrap().is_same_server(&Address::parse(b).unwrap());
        assert!(same("redis://a:1/0", "redis://user:pw@A:1/3"));
        assert!(!same("redis://a:1", "redis://a:2") && !same("redis://a:1", "unix:///a"));
    }
}
