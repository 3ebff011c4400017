//! TLS to a server: whom to trust, and the handshake.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The authorities whose certificates are accepted.
#[derive(Clone, Default)]
pub(super) struct Trust {
    /// Named by the user; without them the machine's own store counts.
    authorities: Option<Arc<[CertificateDer<'static>]>>,
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Trust {
    /// Trusts only the authorities in a PEM file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or has no certificate.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        let problem = |reason: String| io::Error::other(format!("certificate file {}: {reason}", path.display()));
        let authorities = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| problem(error.to_string()))?;
        if authorities.is_empty() {
            return Err(problem("no certificate in it".to_owned()));
        }
        Ok(Self { authorities: Some(authorities.into()), config: Arc::default() })
    }

    /// Completes the handshake over `stream`; the server must prove to be `host`.
    pub(super) async fn handshake(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(self.config()?).connect(name, stream).await
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
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}
