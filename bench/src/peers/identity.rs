//! One P-256 certificate for all proxies, from an authority made for the run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;

/// Certificate and key as files, and the authority to trust.
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub(crate) pem: PathBuf,
    pub(crate) authority: CertificateDer<'static>,
}

impl Identity {
    /// Writes a chain and a key for `localhost` into `dir`.
    pub(crate) fn create(dir: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key_pair = KeyPair::generate()?;
        let leaf =
            CertificateParams::new(vec!["localhost".into()])?.signed_by(&key_pair, &authority)?;
        let identity = Self {
            certificate: dir.join("certificate.pem"),
            key: dir.join("key.pem"),
            pem: dir.join("both.pem"),
            authority: authority.der().clone(),
        };
        fs::write(&identity.certificate, leaf.pem())?;
        fs::write(&identity.key, key_pair.serialize_pem())?;
        fs::write(&identity.pem, leaf.pem() + &key_pair.serialize_pem())?;
        Ok(identity)
    }
}
