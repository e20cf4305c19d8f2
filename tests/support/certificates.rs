//! Certificates for a TLS broker of a test, as PEM files in one folder.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    date_time_ymd,
};

/// The address that the broker's certificate is for.
const HOST: &str = "127.0.0.1";

/// The year in which an expired certificate ended, and the one in which the others will.
const EXPIRED: i32 = 2021;
const VALID: i32 = 2120;

/// A folder of certificates.
pub(crate) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them: `ca.pem` signs `broker.pem`, `expired.pem`, `client.pem` and
    /// `expired-client.pem`, each of which is key and certificate; `other-ca.pem` signs
    /// `stranger.pem`.
    pub(crate) fn make(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder can be made");
        let certificates = Self { folder: folder.to_owned() };
        let authority = certificates.authority("ca");
        certificates.sign(&authority, "broker", VALID);
        certificates.sign(&authority, "expired", EXPIRED);
        certificates.sign(&authority, "client", VALID);
        certificates.sign(&authority, "expired-client", EXPIRED);
        let other = certificates.authority("other-ca");
        certificates.sign(&other, "stranger", VALID);
        certificates
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of a file, for a project's YAML.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn authority(&self, name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = named(name, VALID, Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        self.write(name, &authority.pem());
        authority
    }

    fn sign(&self, authority: &CertifiedIssuer<'_, KeyPair>, name: &str, year: i32) {
        let key = KeyPair::generate().expect("a key");
        let params = named(name, year, vec![HOST.to_owned()]);
        let certificate = params.signed_by(&key, authority).expect("a certificate");
        self.write(name, &format!("{}{}", key.serialize_pem(), certificate.pem()));
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(format!("{name}.pem")), text).expect("a file can be written");
    }
}

fn named(name: &str, year: i32, hosts: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(hosts).expect("an address is a name");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    params
}
