//! Turns a URL into an [`Address`]. It refuses unknown parts: an ignored part could lead to another server.

use redis::{ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion};
use url::{ParseError, Url};

use super::address::{Address, Endpoint};

impl Address {
    /// Reads `redis://[user:password@]host[:port][/database]`, the same with `rediss://` (TLS), or
    /// `unix:///path[?db=…&user=…&pass=…]`. Uses RESP3 if the server knows it, unless the URL says `?protocol=resp2`.
    /// Unknown parts are refused: an ignored part could lead to another server.
    ///
    /// # Errors
    ///
    /// [`AddressError`] with a sentence that names the fix. It never quotes the URL, because any part may belong to a
    /// password.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        read(url)
    }
}

fn read(text: &str) -> Result<Address, AddressError> {
    let (scheme, rest) = text.split_once("://").ok_or(AddressError::NoScheme)?;
    let (is_socket, is_tls) = match scheme.to_ascii_lowercase().as_str() {
        "redis" | "valkey" => (false, false),
        "rediss" | "valkeys" => (false, true),
        "unix" | "redis+unix" | "valkey+unix" => (true, false),
        _ => return Err(AddressError::Scheme),
    };
    if is_tls && cfg!(not(feature = "tls")) {
        return Err(AddressError::NoTls);
    }
    // The URL parser silently removes some of these characters.
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(AddressError::Blank);
    }
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // An `@` ends the password. If it follows a `/`, `?` or `#`, these were meant as parts of the password.
    if !is_socket && rest.get(authority..).is_some_and(|tail| tail.contains('@')) {
        return Err(AddressError::Password);
    }
    let url = Url::parse(text).map_err(|error| match error {
        ParseError::InvalidPort => AddressError::Port,
        _ => AddressError::Host,
    })?;
    match url.fragment() {
        Some("insecure") if is_tls => return Err(AddressError::Insecure),
        Some(_) => return Err(AddressError::Fragment),
        None => {}
    }
    if is_socket {
        check_socket(&url)?
    } else {
        check_host(&url)?
    }
    let names_protocol =
        check_query(&url, if is_socket { &["db", "user", "pass", "protocol"] } else { &["protocol"] })?;
    if has_stray_percent(url.username()) || url.password().is_some_and(has_stray_percent) {
        return Err(AddressError::Encoding);
    }
    let info = url.into_connection_info().map_err(|_| AddressError::Encoding)?;
    let endpoint = match info.addr() {
        ConnectionAddr::Tcp(host, port) => Endpoint::Tcp { host: host.clone(), port: *port },
        ConnectionAddr::TcpTls { host, port, .. } => Endpoint::Tls { host: host.clone(), port: *port },
        ConnectionAddr::Unix(path) => Endpoint::Unix(path.clone()),
        _ => return Err(AddressError::Scheme),
    };
    let login = info.redis_settings().clone();
    // The redis crate would log in as the default user.
    if login.username().is_some() && login.password().is_none() {
        return Err(AddressError::NoPassword);
    }
    let protocol = if names_protocol { login.protocol() } else { ProtocolVersion::RESP3 };
    Ok(Address { endpoint, login: login.set_protocol(protocol) })
}

/// Whether a percent sign begins no escape. It would be sent unchanged, and probably another password was meant.
fn has_stray_percent(text: &str) -> bool {
    let is_escape = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    text.split('%').skip(1).any(|rest| !is_escape(rest))
}

/// Checks the part before the query in a URL with a host.
fn check_host(url: &Url) -> Result<(), AddressError> {
    if url.port() == Some(0) {
        return Err(AddressError::Port);
    }
    match url.host_str() {
        // The parser changes such names: a percent sign would be looked up unchanged.
        None | Some("" | "0.0.0.0" | "[::]") => return Err(AddressError::Host),
        Some(host) if host.contains('%') => return Err(AddressError::Host),
        Some(_) => {}
    }
    match url.path().strip_prefix('/').unwrap_or_default() {
        "" => Ok(()),
        digits => is_database(digits).then_some(()).ok_or(AddressError::Database),
    }
}

/// Checks the part before the query in a URL of a socket.
fn check_socket(url: &Url) -> Result<(), AddressError> {
    let has_login = !url.username().is_empty() || url.password().is_some();
    let is_elsewhere = url.host_str().is_some_and(|host| !host.is_empty() && host != "localhost");
    if has_login || is_elsewhere || url.port().is_some() || url.path().len() < 2 {
        return Err(AddressError::Socket);
    }
    Ok(())
}

/// Checks that the query has only parts of `known`, each once. Returns whether it names the protocol.
fn check_query(url: &Url, known: &[&str]) -> Result<bool, AddressError> {
    let is_socket = known.contains(&"db");
    let problem = if is_socket { AddressError::SocketQuery } else { AddressError::Query };
    // In a query `+` means a blank, but people mean a plus.
    let text = url.query().unwrap_or_default();
    if text.contains('+') {
        return Err(problem);
    }
    let mut met = Vec::new();
    for (name, value) in url.query_pairs() {
        let is_fine = match &*name {
            "db" => is_database(&value),
            "protocol" => matches!(&*value, "2" | "3" | "resp2" | "resp3"),
            _ => !value.is_empty(),
        };
        if name == "db" && !is_socket {
            return Err(AddressError::DatabaseInQuery);
        }
        if !is_fine || !known.contains(&&*name) || met.contains(&name) {
            return Err(problem);
        }
        met.push(name);
    }
    Ok(met.iter().any(|name| name == "protocol"))
}

/// Whether this is the number of a possible database.
fn is_database(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<i32>().is_ok()
}

/// Why a URL is not an address. It never quotes the URL, because any part may belong to a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is no `://`.
    #[error(
        "not a URL: write redis://host:port, rediss://host:port for TLS, or unix:///path/to/socket; in a list, a comma that \
         belongs to a password is written %2C"
    )]
    NoScheme,
    /// The scheme is not known.
    #[error("the scheme is not known: write redis://host:port, rediss://host:port for TLS, or unix:///path/to/socket")]
    Scheme,
    /// `rediss://` in a build without TLS.
    #[error("rediss:// needs TLS, which this build leaves out: build redfence with the feature \"tls\"")]
    NoTls,
    /// `#insecure`.
    #[error(
        "#insecure would accept any certificate: name the authority that signed the server's instead (--ca-file, or ca_file of the builder)"
    )]
    Insecure,
    /// A blank or a control character.
    #[error("a URL has no blanks and no control characters: in a password a blank is written %20")]
    Blank,
    /// A `/`, `?` or `#` before the `@`.
    #[error(
        "there is a '/', '?' or '#' before the '@': in a user or password write %2F for '/', %3F for '?', %23 for '#', and \
         %25 for '%'; elsewhere in the URL '@' has no meaning"
    )]
    Password,
    /// A user without a password.
    #[error(
        "there is a user and no password: write redis://user:password@host, or redis://:password@host without a user"
    )]
    NoPassword,
    /// A user or password that is not UTF-8 after decoding.
    #[error("user or password cannot be decoded: write %25 for '%', and other characters as UTF-8, percent-encoded")]
    Encoding,
    /// There is no host, or its name is not valid.
    #[error("the host cannot be read: write a name in ASCII, an IPv4 address, or an IPv6 address in brackets")]
    Host,
    /// The port is not valid.
    #[error(
        "the port cannot be read: a number from 1 to 65535; with a user or password an '@' goes before the host, and '/', '?' \
         and '#' in them are written %2F, %3F and %23"
    )]
    Port,
    /// The path is not the number of a database.
    #[error("what follows the host is not the number of a database: write redis://host:port/3 for database 3")]
    Database,
    /// `?db=` in a URL whose path names the database.
    #[error("the database goes into the path: write redis://host:port/3 and not ?db=3, which is for unix:// only")]
    DatabaseInQuery,
    /// An unknown query in a URL with a host.
    #[error(
        "what follows the '?' is not known: only ?protocol=resp2 or ?protocol=resp3 is; the database is written \
         redis://host:port/3, the login redis://user:password@host, and a '?' in a password %3F"
    )]
    Query,
    /// An unknown query in a URL of a socket.
    #[error(
        "what follows the '?' is not known: write unix:///path?db=3&user=name&pass=secret&protocol=resp2, each part once or \
         not at all; in values write %26 for '&', %2B for '+', and %25 for '%'"
    )]
    SocketQuery,
    /// There is text before the path of the socket, or no path.
    #[error(
        "the path of the socket cannot be read: write unix:///path/to/socket with three slashes, and the login as ?user=name&pass=secret"
    )]
    Socket,
    /// There is a fragment.
    #[error("what follows the '#' has no meaning: a '#' in a password or a path is written %23")]
    Fragment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_protocol_is_spoken_unless_the_url_names_one() {
        for (url, protocol) in [
            ("redis://a:1/2", ProtocolVersion::RESP3),
            ("redis://a:1?protocol=resp2", ProtocolVersion::RESP2),
            ("unix:///a?db=1&protocol=2", ProtocolVersion::RESP2),
            ("redis://a:1?protocol=3", ProtocolVersion::RESP3),
        ] {
            assert_eq!(read(url).unwrap().login.protocol(), protocol, "{url}");
        }
    }

    #[test]
    fn r7_a_part_of_a_url_that_is_not_known_is_refused() {
        use AddressError::*;
        for (url, expected) in [
            ("redis://h:1?db=3", DatabaseInQuery),
            ("redis://h:1/2?db=3", DatabaseInQuery),
            ("redis://h:1?database=3", Query),
            ("redis://h:1?protocol=resp2&timeout=1", Query),
            ("redis://h:1?protocol=2&protocol=3", Query),
            ("redis://h:1?protocol=4", Query),
            ("redis://h:1/x", Database),
            ("redis://h:1/+3", Database),
            ("redis://h:1/-3", Database),
            ("redis://h:1//3", Database),
            ("redis://h:1/3/", Database),
            ("redis://h:1/%33", Database),
            ("redis://h:1/99999999999", Database),
            ("redis://h:1/3#x", Fragment),
            ("redis://h:1#3", Fragment),
            ("redis://user@h:1", NoPassword),
            ("redis://h:0", Port),
            ("redis://h:notaport", Port),
            ("redis://h:99999", Port),
            ("redis://:1", Host),
            ("redis://", Host),
            ("redis://0.0.0.0:1", Host),
            ("redis://m\u{fc}nchen:1", Host),
            ("redis://h:1/3 ", Blank),
            ("redis://h\n:1", Blank),
            ("unix:///a?db=x", SocketQuery),
            ("unix:///a?database=1", SocketQuery),
            ("unix:///a?db=1&db=2", SocketQuery),
            ("unix:///a?pass=a+b", SocketQuery),
            ("unix:///a?user=name", NoPassword),
            ("unix:///a#1", Fragment),
            ("unix://run/redis.sock", Socket),
            ("unix://user:pw@localhost/run/redis.sock", Socket),
            ("unix://", Socket),
            ("127.0.0.1:7001", NoScheme),
            ("http://host", Scheme),
        ] {
            assert_eq!(read(url).map(|address| address.database()), Err(expected), "{url}");
        }
        #[cfg(feature = "tls")]
        for (url, expected) in [("rediss://h:1/#insecure", Insecure), ("rediss://h:1?db=3", DatabaseInQuery)] {
            assert_eq!(read(url).map(|address| address.database()), Err(expected), "{url}");
        }
        for (url, database) in [
            ("redis://h", 0),
            ("REDIS://h:1/", 0),
            ("valkey://h:1/3", 3),
            ("unix:///a?db=3", 3),
            ("redis://[::1]:7/15", 15),
        ] {
            assert_eq!(read(url).map(|address| address.database()), Ok(database), "{url}");
        }
    }

    #[test]
    fn r11_a_password_that_is_not_encoded_is_refused_with_the_sentence_that_says_how() {
        for url in [
            "redis://default:9#secret@host",
            "redis://default:9?secret@host",
            "redis://default:9/secret@host",
            "redis://default:secret#9@host:1/3",
            "redis://:sec/ret@host",
            "redis://:secret?@host",
        ] {
            assert_eq!(read(url).map(|address| address.to_string()), Err(AddressError::Password), "{url}");
        }
        let message = AddressError::Password.to_string();
        assert!(["%2F", "%3F", "%23"].iter().all(|code| message.contains(code)), "{message}");
        // Also without an `@` behind it, because a list is divided at its commas.
        for url in ["redis://u:secret", "redis://u:9#secret", "redis://u:9?secret", "secret://x", "redis://u:9/secret"]
        {
            let error = read(url).map(|address| address.to_string()).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{url}: {error}");
        }
        for (url, password) in [
            ("redis://default:9%23secret@host", "9#secret"),
            ("redis://:a@b@host", "a@b"),
            ("unix:///a?pass=9%2B1", "9+1"),
        ] {
            assert_eq!(read(url).unwrap().login.password(), Some(password), "{url}");
        }
        assert_eq!(
            read("redis://default:9%secret@host").map(|address| address.to_string()),
            Err(AddressError::Encoding)
        );
        assert_eq!(
            read("redis://default:9%25secret@host").map(|address| address.to_string()),
            Ok("host:6379".to_owned())
        );
        assert_eq!(read("redis://:%ff@host").map(|address| address.to_string()), Err(AddressError::Encoding));
    }
}
