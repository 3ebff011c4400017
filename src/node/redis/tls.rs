//! [`Trust`]: TLS to a server: its certificate, the client's own, and the handshake.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// The user's TLS settings. Files are read at once, so that an error in one is reported before the first dial.
#[derive(Clone, Default)]
pub(super) struct Trust {
    /// The authorities whose certificates are accepted; `None` for the machine's own store.
    authorities: Option<Arc<[CertificateDer<'static>]>>,
    /// The client's certificate and key, for servers that demand one.
    identity: Option<Arc<Identity>>,
    /// The name that the server's certificate must have, if it is not the host.
    name: Option<ServerName<'static>>,
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Trust {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// The file and the reason, if a file cannot be read or has not the expected content.
    pub(super) fn new(
        authorities: Option<&Path>,
        identity: Option<&(PathBuf, PathBuf)>,
        name: Option<&str>,
    ) -> io::Result<Self> {
        let name = name.map(|name| {
            ServerName::try_from(name.to_owned()).map_err(|_| {
                io::Error::other(format!("the server name {name:?} is neither a DNS name nor an IP address"))
            })
        });
        let trust = Self {
            authorities: authorities.map(certificates).transpose()?.map(Into::into),
            identity: identity.map(|(chain, key)| Identity::read(chain, key)).transpose()?.map(Arc::new),
            name: name.transpose()?,
            config: Arc::default(),
        };
        if let (Some(identity), Some((chain, key))) = (&trust.identity, identity) {
            let key = ring::default_provider()
                .key_provider
                .load_private_key(identity.key.clone_key())
                .map_err(|error| problem(key, error))?;
            // If the key cannot be compared here, the server finds out.
            let fits = rustls::sign::CertifiedKey::new(identity.chain.clone(), key).keys_match();
            if let Err(error @ rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) = fits {
                return Err(problem(chain, format!("{error}: it is not the certificate of that key")));
            }
        }
        Ok(trust)
    }

    /// Does the handshake over `stream`. The server must prove that it is `host`.
    pub(super) async fn handshake(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        };
        TlsConnector::from(self.config()?).connect(name, stream).await.map_err(|error| self.explained(error))
    }

    fn explained(&self, error: io::Error) -> io::Error {
        let hint = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidMessage(_)) => {
                "the server does not speak TLS here: write redis:// in place of rediss://, or its TLS port"
            }
            Some(rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired)) => {
                "the server demands a certificate: name one and its key (--cert and --key, or client_certificate of the builder)"
            }
            Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => {
                "name the authority that signed it (--ca-file, or ca_file of the builder)"
            }
            Some(rustls::Error::InvalidCertificate(
                rustls::CertificateError::NotValidForName | rustls::CertificateError::NotValidForNameContext { .. },
            )) => "dial the server by a name of its certificate, or name one (--sni, or server_name of the builder)",
            _ if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the server closed the connection: a full server does that, and one that does not speak TLS here"
            }
            _ => return error,
        };
        io::Error::new(error.kind(), format!("TLS: {hint}; {error}"))
    }

    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let mut roots = RootCertStore::empty();
        match &self.authorities {
            Some(authorities) => {
                for authority in authorities.iter() {
                    roots.add(authority.clone()).map_err(io::Error::other)?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(io::Error::other("this machine trusts no certificate authority: name a certificate file"));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        let config = match &self.identity {
            Some(identity) => config
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(io::Error::other)?,
            None => config.with_no_client_auth(),
        };
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}

impl Identity {
    fn read(chain: &Path, key: &Path) -> io::Result<Self> {
        let parsed =
            PrivateKeyDer::from_pem_file(key).map_err(|error| problem(key, format!("no private key: {error}")));
        Ok(Self { chain: certificates(chain)?, key: parsed? })
    }
}

/// Reads the certificates of a PEM file: at least one.
fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| problem(path, error))?;
    if found.is_empty() { Err(problem(path, "no certificate in it")) } else { Ok(found) }
}

fn problem(path: &Path, reason: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("certificate file {}: {reason}", path.display()))
}
