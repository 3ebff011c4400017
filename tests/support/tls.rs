//! A certificate authority for one test.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

/// An authority and one certificate signed by it, for `localhost` and both loopback addresses, as PEM files.
pub struct TestCa {
    dir: TempDir,
}

impl TestCa {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory for the certificates");

        let ca_key = KeyPair::generate().unwrap();
        let mut ca_params = CertificateParams::default();
        ca_params.distinguished_name.push(DnType::CommonName, "redfence test authority");
        ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca_params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = ca_params.self_signed(&ca_key).unwrap();

        let server_key = KeyPair::generate().unwrap();
        let server_names = ["localhost", "127.0.0.1", "::1"].map(String::from);
        let server = CertificateParams::new(server_names)
            .unwrap()
            .signed_by(&server_key, &Issuer::new(ca_params, ca_key))
            .unwrap();

        let test_ca = Self { dir };
        std::fs::write(test_ca.ca_path(), ca.pem()).unwrap();
        std::fs::write(test_ca.certificate_path(), server.pem()).unwrap();
        std::fs::write(test_ca.key_path(), server_key.serialize_pem()).unwrap();
        test_ca
    }

    /// What a client has to trust.
    pub fn ca_path(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// What the server shows.
    pub fn certificate_path(&self) -> PathBuf {
        self.file("server.pem")
    }

    /// What the server keeps to itself.
    pub fn key_path(&self) -> PathBuf {
        self.file("server.key")
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(self.dir.path()).join(name)
    }
}
