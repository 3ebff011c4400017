//! [`Address`]: where a server is and how to log in, from a URL.

use std::fmt;
use std::path::PathBuf;

use redis::{ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

/// Where a server is. Prints without user and password.
#[derive(Clone)]
pub struct Address {
    pub(super) endpoint: Endpoint,
    pub(super) login: RedisConnectionInfo,
}

/// What to dial.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16 },
    Unix(PathBuf),
}

impl Address {
    /// Reads `redis://`, `rediss://` (TLS) or `unix://`, each with user, password and database where wanted. RESP3 is spoken
    /// where the server knows it, unless `?protocol=resp2` says otherwise.
    ///
    /// # Errors
    ///
    /// [`AddressError`] with a sentence that names the mend; never with the password.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let Some((scheme, _)) = url.split_once("://") else { return Err(AddressError::NoScheme) };
        if !["redis", "rediss", "valkey", "valkeys", "unix", "redis+unix", "valkey+unix"].contains(&scheme) {
            return Err(AddressError::Scheme(scheme.to_owned()));
        }
        let tls = matches!(scheme, "rediss" | "valkeys");
        if tls && cfg!(not(feature = "tls")) {
            return Err(AddressError::NoTls);
        }
        let info = url.into_connection_info().map_err(|error| AddressError::Url(error.category().to_owned()))?;
        let endpoint = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Endpoint::Tcp { host: host.clone(), port: *port },
            ConnectionAddr::TcpTls { insecure: true, .. } => return Err(AddressError::Insecure),
            ConnectionAddr::TcpTls { host, port, .. } => Endpoint::Tls { host: host.clone(), port: *port },
            ConnectionAddr::Unix(path) => Endpoint::Unix(path.clone()),
            _ => return Err(AddressError::Scheme(scheme.to_owned())),
        };
        let names_protocol =
            url.split_once('?').is_some_and(|(_, query)| query.split('&').any(|pair| pair.starts_with("protocol=")));
        let login = info.redis_settings().clone();
        let protocol = if names_protocol { login.protocol() } else { ProtocolVersion::RESP3 };
        Ok(Self { endpoint, login: login.set_protocol(protocol) })
    }

    /// Whether nobody on a network can listen: TLS, a Unix socket, or loopback.
    pub(super) fn is_private(&self) -> bool {
        match &self.endpoint {
            Endpoint::Tls { .. } | Endpoint::Unix(_) => true,
            Endpoint::Tcp { host, .. } => {
                let ip = host.parse::<std::net::IpAddr>();
                host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
            }
        }
    }

    /// Whether both name one server, whatever database and user they name. Two names of one server are one node.
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

/// `host:port` or the socket's path: no user, no password.
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

/// Why a URL names no server. Never quotes the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is no `://`.
    #[error("not a URL: write redis://host:port, rediss://host:port for TLS, or unix:///path/to/socket")]
    NoScheme,
    /// Another scheme than those known.
    #[error(
        "the scheme {0:?} is not known: write redis://host:port, rediss://host:port for TLS, or unix:///path/to/socket"
    )]
    Scheme(String),
    /// `rediss://` in a build without TLS.
    #[error("rediss:// needs TLS, which this build leaves out: build redfence with the feature \"tls\"")]
    NoTls,
    /// `#insecure`.
    #[error(
        "#insecure would accept any certificate: name the authority that signed the server's instead (the certificate file option)"
    )]
    Insecure,
    /// The rest of the URL cannot be read.
    #[error("the URL cannot be read: {0}; special characters in a password are percent-encoded")]
    Url(String),
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
    fn the_newest_protocol_is_spoken_unless_the_url_names_one() {
        for (url, protocol) in [
            ("redis://a:1/2", ProtocolVersion::RESP3),
            ("redis://a:1?protocol=resp2", ProtocolVersion::RESP2),
            ("unix:///a?db=1&protocol=2", ProtocolVersion::RESP2),
            ("redis://a:1?protocol=3", ProtocolVersion::RESP3),
        ] {
            assert_eq!(Address::parse(url).unwrap().login.protocol(), protocol, "{url}");
        }
    }

    #[test]
    fn bad_urls_name_the_mend_and_not_the_password() {
        for url in
            ["127.0.0.1:7001", "http://user:secret@host", "redis://:secret@host:notaport", "redis://:secret@host/x"]
        {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        #[cfg(feature = "tls")]
        assert_eq!(Address::parse("rediss://host:1/#insecure").unwrap_err(), AddressError::Insecure);
    }

    #[test]
    fn one_server_under_two_names() {
        let same = |a: &str, b: &str| Address::parse(a).unwrap().is_same_server(&Address::parse(b).unwrap());
        assert!(same("redis://a:1/0", "redis://user:pw@A:1/3"));
        assert!(!same("redis://a:1", "redis://a:2") && !same("redis://a:1", "unix:///a"));
    }
}
