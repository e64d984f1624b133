//! Whether an answer may be shown to clients (RFC 6960 §3.2).

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};
use httpdate::fmt_http_date;
use rustls::crypto::CryptoProvider;
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::X509Certificate;

use super::Validity;
use super::der::{
    self, ENUMERATED, GENERALIZED_TIME, INTEGER, OCTETS, OID, Reader, SEQUENCE, explicit,
};
use super::signer::{Signed, is_charged};
use super::subject::{Subject, key_bits};

/// Certificates looked at in an answer: more than the responder's own and those above it.
const CERTIFICATES_MAX: usize = 8;
/// Single answers looked at.
const ANSWERS_MAX: usize = 64;
/// Clocks differ.
const SKEW: Duration = Duration::from_secs(5 * 60);
/// An answer that does not say until when it is good (RFC 6960 §2.4) is asked for anew after that.
const UNSAID: Duration = Duration::from_secs(60 * 60);

/// `id-pkix-ocsp-basic`.
const BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];

const HASHES: [(&[u8], &Algorithm); 4] = [
    (&[0x2b, 0x0e, 0x03, 0x02, 0x1a], &SHA1_FOR_LEGACY_USE_ONLY),
    (
        &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
        &SHA256,
    ),
    (
        &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
        &SHA384,
    ),
    (
        &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
        &SHA512,
    ),
];

/// Why an answer is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OcspError {
    /// It cannot be read.
    #[error("it is no answer of OCSP in DER")]
    Damaged,
    /// The authority gives none.
    #[error("the authority does not answer: {0}")]
    Refused(&'static str),
    /// It is not about this certificate.
    #[error("it is about another certificate")]
    Other,
    /// The certificate must no longer be used.
    #[error("THE CERTIFICATE IS REVOKED: get another one")]
    Revoked,
    /// The authority does not know the certificate.
    #[error("the authority does not know the certificate")]
    Unknown,
    /// Nobody who may has signed it.
    #[error("neither the issuer of the certificate nor who is charged by it has signed it")]
    Signature,
    /// It is from the future.
    #[error("it is not valid before {}: check this machine's clock", fmt_http_date(*.0))]
    Early(SystemTime),
    /// It is too old.
    #[error("it has expired on {}", fmt_http_date(*.0))]
    Expired(SystemTime),
}

/// The parts of a BasicOCSPResponse that are looked at.
struct Basic<'a> {
    signed: Signed<'a>,
    responder: &'a [u8],
    answers: Reader<'a>,
    certificates: Reader<'a>,
}

impl Subject {
    /// Believes an answer, or says why not.
    pub fn judge(
        &self,
        response: &[u8],
        now: SystemTime,
        provider: &CryptoProvider,
    ) -> Result<Validity, OcspError> {
        let basic = Basic::read(response)?;
        let (_, issuer) = parse_x509_certificate(&self.issuer).map_err(|_| OcspError::Other)?;
        let (status, validity) = self.find(&basic, &issuer)?;
        if !basic.is_authentic(&issuer, now, provider) {
            return Err(OcspError::Signature);
        }
        match status {
            Status::Good => {}
            Status::Revoked => return Err(OcspError::Revoked),
            Status::Unknown => return Err(OcspError::Unknown),
        }
        if now + SKEW < validity.this_update {
            return Err(OcspError::Early(validity.this_update));
        }
        if now >= validity.next_update {
            return Err(OcspError::Expired(validity.next_update));
        }
        Ok(validity)
    }

    /// The answer about this certificate among those that there are.
    fn find(
        &self,
        basic: &Basic<'_>,
        issuer: &X509Certificate<'_>,
    ) -> Result<(Status, Validity), OcspError> {
        let mut answers = basic.answers;
        for _ in 0..ANSWERS_MAX {
            if answers.is_empty() {
                break;
            }
            let single = answers.inside(SEQUENCE).ok_or(OcspError::Damaged)?;
            let (id, status, validity) = single_answer(single).ok_or(OcspError::Damaged)?;
            if self.is_named_by(id, issuer).unwrap_or(false) {
                return Ok((status, validity));
            }
        }
        Err(OcspError::Other)
    }

    /// CertID (RFC 6960 §4.1.1).
    fn is_named_by(&self, mut id: Reader<'_>, issuer: &X509Certificate<'_>) -> Option<bool> {
        let hash = id.inside(SEQUENCE)?.take(OID)?.content;
        let (_, hash) = HASHES.iter().find(|(oid, _)| *oid == hash)?;
        let name = id.take(OCTETS)?.content;
        let key = id.take(OCTETS)?.content;
        let serial = id.take(INTEGER)?.content;
        Some(
            digest(hash, issuer.subject().as_raw()).as_ref() == name
                && digest(hash, key_bits(issuer)?).as_ref() == key
                && serial == self.serial(),
        )
    }
}

#[derive(Clone, Copy)]
enum Status {
    Good,
    Revoked,
    Unknown,
}

/// SingleResponse (RFC 6960 §4.2.1): about whom, what, and for how long.
fn single_answer(mut single: Reader<'_>) -> Option<(Reader<'_>, Status, Validity)> {
    let id = single.inside(SEQUENCE)?;
    let status = match single.any()?.whole.first()? {
        0x80 => Status::Good,
        0xa1 => Status::Revoked,
        _ => Status::Unknown,
    };
    let this_update = der::time(single.take(GENERALIZED_TIME)?)?;
    let next_update = match single.inside(explicit(0)) {
        Some(mut next) => der::time(next.take(GENERALIZED_TIME)?)?,
        None => this_update.checked_add(UNSAID)?,
    };
    let validity = Validity {
        this_update,
        next_update,
    };
    Some((id, status, validity))
}

impl<'a> Basic<'a> {
    /// OCSPResponse down to its ResponseData (RFC 6960 §4.2.1).
    fn read(response: &'a [u8]) -> Result<Basic<'a>, OcspError> {
        let damaged = OcspError::Damaged;
        let mut response = Reader(response).inside(SEQUENCE).ok_or(damaged.clone())?;
        let status = response.take(ENUMERATED).ok_or(damaged.clone())?;
        match status.content {
            [0] => {}
            [1] => return Err(OcspError::Refused("it does not understand the question")),
            [2] => return Err(OcspError::Refused("it has an error of its own")),
            [3] => return Err(OcspError::Refused("try later")),
            [6] => return Err(OcspError::Refused("it is not ours to ask")),
            _ => return Err(OcspError::Refused("no reason that is known")),
        }
        Basic::of(response).ok_or(damaged)
    }

    fn of(mut response: Reader<'a>) -> Option<Basic<'a>> {
        let mut bytes = response.inside(explicit(0))?.inside(SEQUENCE)?;
        if bytes.take(OID)?.content != BASIC {
            return None;
        }
        let mut basic = Reader(bytes.take(OCTETS)?.content).inside(SEQUENCE)?;
        let signed = Signed::read(&mut basic)?;
        let certificates = basic.inside(explicit(0));
        let certificates = certificates.and_then(|mut list| list.inside(SEQUENCE));
        let mut data = Reader(signed.content).inside(SEQUENCE)?;
        // `version` is [0] and left out; the responder is [1] or [2].
        let _ = data.take(explicit(0));
        let responder = data.any()?.whole;
        data.take(GENERALIZED_TIME)?;
        Some(Basic {
            answers: data.inside(SEQUENCE)?,
            certificates: certificates.unwrap_or(Reader(&[])),
            signed,
            responder,
        })
    }

    /// RFC 6960 §4.2.2.2: the issuer itself, or who is charged by it.
    fn is_authentic(
        &self,
        issuer: &X509Certificate<'_>,
        now: SystemTime,
        provider: &CryptoProvider,
    ) -> bool {
        if self.is_of(issuer) && self.signed.is_by(issuer, provider) {
            return true;
        }
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
        let mut certificates = self.certificates;
        for _ in 0..CERTIFICATES_MAX {
            let Some(certificate) = certificates.take(SEQUENCE) else {
                return false;
            };
            let Ok((_, parsed)) = parse_x509_certificate(certificate.whole) else {
                continue;
            };
            if self.is_of(&parsed)
                && is_charged(certificate.whole, issuer, now, provider)
                && self.signed.is_by(&parsed, provider)
            {
                return true;
            }
        }
        false
    }

    /// Whether it says that it is from the holder of a certificate: by name or by hash of the key.
    fn is_of(&self, certificate: &X509Certificate<'_>) -> bool {
        let mut responder = Reader(self.responder);
        if let Some(name) = responder.take(explicit(1)) {
            return name.content == certificate.subject().as_raw();
        }
        let hash = responder
            .inside(explicit(2))
            .and_then(|mut hash| hash.take(OCTETS));
        let own = key_bits(certificate).map(|key| digest(&SHA1_FOR_LEGACY_USE_ONLY, key));
        hash.zip(own)
            .is_some_and(|(hash, own)| hash.content == own.as_ref())
    }
}
