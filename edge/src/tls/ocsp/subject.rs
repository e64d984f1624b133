//! A certificate and its issuer, and the question about it.

use std::fmt;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::X509Certificate;

use super::der::{self, BITS, INTEGER, OCTETS, Reader, SEQUENCE};

/// AlgorithmIdentifier of SHA-1, by which certificates are named: every responder knows it (RFC 5019
/// §2.1.1), and nothing rests on its strength.
const SHA1: &[u8] = &[
    0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00,
];
/// `id-pe-tlsfeature` holding `status_request` (RFC 7633): clients refuse it without an answer.
const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";
const STATUS_REQUEST: &[u8] = &[5];
/// `id-ad-ocsp` (RFC 5280 §4.2.2.1).
const RESPONDER: &str = "1.3.6.1.5.5.7.48.1";

/// A certificate as its authority is asked about it.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject {
    /// The digest of the certificate.
    leaf: [u8; 32],
    serial: Box<[u8]>,
    /// Its issuer's certificate.
    pub(super) issuer: Box<[u8]>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").finish_non_exhaustive()
    }
}

/// A certificate whose authority answers somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The certificate.
    pub subject: Subject,
    /// Where its authority answers, as it says: `http://`.
    pub url: String,
    /// The first name of the host that it is for.
    pub host: String,
}

impl Subject {
    /// The first certificate of a chain; `None` where the second is not its issuer's.
    pub fn of(chain: &[CertificateDer<'_>]) -> Option<Subject> {
        let [leaf, issuer, ..] = chain else {
            return None;
        };
        let (_, parsed) = parse_x509_certificate(leaf).ok()?;
        let (_, authority) = parse_x509_certificate(issuer).ok()?;
        let is_issued = parsed.issuer().as_raw() == authority.subject().as_raw();
        is_issued.then(|| Subject {
            leaf: fingerprint(leaf),
            serial: parsed.raw_serial().into(),
            issuer: issuer.as_ref().into(),
        })
    }

    /// What tells it from every other certificate.
    pub(super) fn leaf(&self) -> &[u8; 32] {
        &self.leaf
    }

    pub(super) fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The OCSPRequest (RFC 6960 §4.1.1), without a nonce: responders may answer with what they have
    /// signed before (RFC 5019 §2.1.1).
    pub fn request(&self) -> Option<Vec<u8>> {
        let (_, issuer) = parse_x509_certificate(&self.issuer).ok()?;
        let sha1 = |bytes: &[u8]| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes);
        let name = sha1(issuer.subject().as_raw());
        let key = sha1(key_bits(&issuer)?);
        let certificate = [
            SHA1,
            &der::write(OCTETS, name.as_ref()),
            &der::write(OCTETS, key.as_ref()),
            &der::write(INTEGER, &self.serial),
        ];
        // CertID, Request, requestList, TBSRequest, OCSPRequest.
        let wrapped = certificate.concat();
        Some((0..5).fold(wrapped, |inner, _| der::write(SEQUENCE, &inner)))
    }
}

/// The key itself, without its algorithm: what is hashed in a CertID.
pub(super) fn key_bits<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    let mut key = Reader(certificate.public_key().raw).inside(SEQUENCE)?;
    key.take(SEQUENCE)?;
    der::octets_of_bits(key.take(BITS)?.content)
}

/// What tells a certificate from every other.
pub(super) fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    let digest = digest(&SHA256, certificate);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

/// Where the authority of a certificate answers over plain HTTP: answers are signed.
pub(in crate::tls) fn responder(certificate: &X509Certificate<'_>) -> Option<String> {
    let infos = certificate.extensions().iter().filter_map(|extension| {
        match extension.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => Some(&access.accessdescs),
            _ => None,
        }
    });
    let mut places = infos.flatten().filter_map(|description| {
        match (
            &description.access_location,
            description.access_method.to_id_string(),
        ) {
            (GeneralName::URI(url), method) if method == RESPONDER => Some(*url),
            _ => None,
        }
    });
    places
        .find(|url| url.starts_with("http://"))
        .map(str::to_owned)
}

/// Whether clients refuse the certificate without an answer beside it.
pub(in crate::tls) fn must_staple(certificate: &X509Certificate<'_>) -> bool {
    let mut extensions = certificate.extensions().iter();
    let feature = extensions.find(|extension| extension.oid.to_id_string() == TLS_FEATURE);
    let Some(mut features) = feature.and_then(|feature| Reader(feature.value).inside(SEQUENCE))
    else {
        return false;
    };
    while let Some(feature) = features.take(INTEGER) {
        if feature.content == STATUS_REQUEST {
            return true;
        }
    }
    false
}
