//! Certificate files to keys that can sign: every reason why not, in words.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::InconsistentKeys;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

use super::error::{Error, Role};
use super::ocsp::Staples;
use super::stapling::{Stapling, stapling};
use crate::config::Certificate;
use crate::files::Files;

/// No chain or key comes near this; a wrong path (a log, a device) is stopped by it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A certificate ready to be served.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Chain and key; known to belong together.
    pub(super) key: CertifiedKey,
    /// The first moment it is valid.
    pub(super) not_before: SystemTime,
    /// The last.
    pub(super) not_after: SystemTime,
    /// What is stapled; the answer itself is in `key`.
    pub(super) stapling: Stapling,
}

impl Loaded {
    /// Why clients refuse it at `now`, for its dates.
    fn is_out_of_time(&self, path: &Path, now: SystemTime) -> Option<Error> {
        let path = path.to_owned();
        let Loaded {
            not_before,
            not_after,
            ..
        } = *self;
        match () {
            () if now > not_after => Some(Error::Expired { path, not_after }),
            () if now < not_before => Some(Error::NotYetValid { path, not_before }),
            () => None,
        }
    }
}

/// Reads both files and checks that they can serve; what `before` holds takes the place of files that
/// cannot, or not yet or no longer. With all that is wrong with the files, and not only the first.
///
/// A certificate out of its time is served where there is no better one: clients refuse that one
/// certificate, where refusing to start would take every host away.
pub(super) fn load(
    certificate: &Certificate,
    before: Option<&Arc<CertifiedKey>>,
    disk: &dyn Files,
    provider: &CryptoProvider,
    now: SystemTime,
    staples: &Staples,
) -> (Option<Loaded>, Vec<Error>) {
    let kept = || kept(before?, certificate, disk, provider, now, staples);
    let path = &certificate.chain;
    match read_pair(certificate, disk, provider, now, staples) {
        Ok(loaded) => match loaded.is_out_of_time(path, now) {
            Some(error) => match kept().filter(|kept| kept.is_out_of_time(path, now).is_none()) {
                Some(better) => (Some(better), vec![error]),
                None => (Some(loaded), Vec::new()),
            },
            None => (Some(loaded), Vec::new()),
        },
        Err(errors) => (kept(), errors),
    }
}

fn read_pair(
    certificate: &Certificate,
    disk: &dyn Files,
    provider: &CryptoProvider,
    now: SystemTime,
    staples: &Staples,
) -> Result<Loaded, Vec<Error>> {
    let files = certificate;
    let chain = read_chain(&files.chain, disk);
    let (chain, key) = match (chain, read_key(&files.key, disk, provider)) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
    };
    let (not_before, not_after) = validity(&files.chain, &chain[0]).map_err(|e| vec![e])?;

    let stapling = stapling(files, &chain, disk, provider, now, staples);
    let mut stapling = stapling.map_err(|e| vec![e])?;
    let mut key = CertifiedKey::new(chain, key);
    key.ocsp = stapling.answer.take();
    match key.keys_match() {
        // Every key type of this provider knows its public half; if one did not, only the
        // handshake could tell.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            return Err(vec![Error::KeyMismatch {
                chain: files.chain.clone(),
                key: files.key.clone(),
            }]);
        }
        Err(other) => return Err(vec![unsupported_certificate(&files.chain, other)]),
    }

    Ok(Loaded {
        key,
        not_before,
        not_after,
        stapling,
    })
}

/// What goes on being served while the files of a certificate are wrong: the one that was served
/// before, with what is stapled beside it now.
fn kept(
    before: &CertifiedKey,
    certificate: &Certificate,
    disk: &dyn Files,
    provider: &CryptoProvider,
    now: SystemTime,
    staples: &Staples,
) -> Option<Loaded> {
    let mut key = before.clone();
    let (not_before, not_after) = validity(&certificate.chain, key.cert.first()?).ok()?;
    // An answer about the certificate to come is none about this one.
    let stapling = stapling(certificate, &key.cert, disk, provider, now, staples);
    let mut stapling = stapling.unwrap_or_default();
    key.ocsp = stapling.answer.take();
    Some(Loaded {
        key,
        not_before,
        not_after,
        stapling,
    })
}

fn read_chain(path: &Path, disk: &dyn Files) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path, disk, Role::Certificate)?;
    let chain = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| damaged(path, Role::Certificate, e))?;
    if chain.is_empty() {
        let hint = if holds_key(&text) {
            ", but a key: are `certificate` and `key` swapped?"
        } else if contains(&text, b"CERTIFICATE REQUEST") {
            ", but a signing request: use the certificate that was issued for it"
        } else {
            ": it must contain -----BEGIN CERTIFICATE-----"
        };
        return Err(nothing(path, Role::Certificate, hint));
    }
    Ok(chain)
}

fn read_key(
    path: &Path,
    disk: &dyn Files,
    provider: &CryptoProvider,
) -> Result<Arc<dyn rustls::sign::SigningKey>, Error> {
    let text = read(path, disk, Role::Key)?;
    // PKCS #8 (RFC 5958 §3) and the older PEM encryption (RFC 1421 §4.6.1.1).
    if contains(&text, b"BEGIN ENCRYPTED PRIVATE KEY") || contains(&text, b"Proc-Type: 4,ENCRYPTED")
    {
        let path = path.to_owned();
        return Err(Error::EncryptedKey { path });
    }
    let key = match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => key,
        Err(pem::Error::NoItemsFound) => {
            let hint = if contains(&text, b"BEGIN CERTIFICATE-----") {
                ", but a certificate: are `certificate` and `key` swapped?"
            } else {
                ": it must contain -----BEGIN PRIVATE KEY----- (or EC or RSA PRIVATE KEY)"
            };
            return Err(nothing(path, Role::Key, hint));
        }
        Err(other) => return Err(damaged(path, Role::Key, other)),
    };
    provider
        .key_provider
        .load_private_key(key)
        .map_err(|reason| Error::UnsupportedKey {
            path: path.to_owned(),
            reason: reason.to_string(),
        })
}

pub(super) fn read(path: &Path, disk: &dyn Files, role: Role) -> Result<Vec<u8>, Error> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing {
            role,
            path: path.to_owned(),
        },
        _ => Error::Unreadable {
            role,
            path: path.to_owned(),
            source,
        },
    };
    let text = disk.read(path, FILE_BYTES_MAX + 1).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::TooLarge {
            role,
            path: path.to_owned(),
            limit: FILE_BYTES_MAX,
        });
    }
    Ok(text)
}

/// First and last moment of a certificate.
fn validity(path: &Path, leaf: &CertificateDer<'_>) -> Result<(SystemTime, SystemTime), Error> {
    let (_, parsed) =
        parse_x509_certificate(leaf).map_err(|reason| unsupported_certificate(path, reason))?;
    let validity = parsed.validity();
    Ok((moment(validity.not_before), moment(validity.not_after)))
}

/// Dates before 1970 become 1970: all of them are in the past.
fn moment(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn holds_key(text: &[u8]) -> bool {
    <(SectionKind, Vec<u8>)>::pem_slice_iter(text)
        .flatten()
        .any(|(kind, _)| {
            matches!(
                kind,
                SectionKind::PrivateKey | SectionKind::EcPrivateKey | SectionKind::RsaPrivateKey
            )
        })
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(text, needle).is_some()
}

pub(super) fn nothing(path: &Path, role: Role, hint: &'static str) -> Error {
    let path = path.to_owned();
    Error::Nothing { role, path, hint }
}

pub(super) fn damaged(path: &Path, role: Role, reason: pem::Error) -> Error {
    Error::Damaged {
        role,
        path: path.to_owned(),
        reason: match reason {
            pem::Error::MissingSectionEnd { .. } => "a section has no end".to_owned(),
            other => other.to_string(),
        },
    }
}

fn unsupported_certificate(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::UnsupportedCertificate {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
