//! Signatures over answers and over the certificates of who gives them.

use rustls::crypto::CryptoProvider;
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::X509Certificate;

use super::der::{self, BITS, Reader, SEQUENCE};

/// Something with a signature: an answer or a certificate (RFC 5280 §4.1.1).
pub(super) struct Signed<'a> {
    /// What is signed, as it stands there.
    pub(super) content: &'a [u8],
    /// The content of the AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Reads the three parts that are the same everywhere; what follows them stays in `reader`.
    pub(super) fn read(reader: &mut Reader<'a>) -> Option<Signed<'a>> {
        Some(Signed {
            content: reader.take(SEQUENCE)?.whole,
            algorithm: reader.take(SEQUENCE)?.content,
            signature: der::octets_of_bits(reader.take(BITS)?.content)?,
        })
    }

    /// Whether the holder of a key has signed it, in one of the ways that this process trusts.
    pub(super) fn is_by(&self, signer: &X509Certificate<'_>, provider: &CryptoProvider) -> bool {
        let Some((kind, key)) = key_of(signer) else {
            return false;
        };
        let algorithms = provider.signature_verification_algorithms.all.iter();
        let mut fitting = algorithms.filter(|algorithm| {
            algorithm.signature_alg_id().as_ref() == self.algorithm
                && algorithm.public_key_alg_id().as_ref() == kind
        });
        fitting.any(|algorithm| {
            let verified = algorithm.verify_signature(key, self.content, self.signature);
            verified.is_ok()
        })
    }
}

/// The kind of a certificate's key, and the key.
fn key_of<'a>(certificate: &'a X509Certificate<'_>) -> Option<(&'a [u8], &'a [u8])> {
    let mut key = Reader(certificate.public_key().raw).inside(SEQUENCE)?;
    let kind = key.take(SEQUENCE)?.content;
    Some((kind, der::octets_of_bits(key.take(BITS)?.content)?))
}

/// Whether an issuer has charged the holder of a certificate with answering (RFC 6960 §4.2.2.2): it
/// has signed it, for this purpose, and it is valid at `now`, in seconds since 1970.
pub(super) fn is_charged(
    certificate: &[u8],
    issuer: &X509Certificate<'_>,
    now: i64,
    provider: &CryptoProvider,
) -> bool {
    let Ok((_, parsed)) = parse_x509_certificate(certificate) else {
        return false;
    };
    let validity = parsed.validity();
    let is_of_now =
        (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now);
    let usage = parsed.extended_key_usage().ok().flatten();
    let is_for_answers = usage.is_some_and(|usage| usage.value.ocsp_signing);
    let mut parts = Reader(certificate);
    let signed = parts
        .inside(SEQUENCE)
        .and_then(|mut parts| Signed::read(&mut parts));
    is_of_now
        && is_for_answers
        && parsed.issuer().as_raw() == issuer.subject().as_raw()
        && signed.is_some_and(|signed| signed.is_by(issuer, provider))
}
