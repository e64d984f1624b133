//! What the configuration wants stapled beside a certificate: what is in a file, or what its authority
//! has told this process.

use std::path::Path;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls_pki_types::CertificateDer;
use x509_parser::parse_x509_certificate;

use super::error::{Error, Role, Warning};
use super::load::read;
use super::ocsp::{OcspError, Staples, Subject, must_staple, responder};
use crate::config::{Certificate, Ocsp};
use crate::files::Files;

/// The answer to staple, and where the next one comes from.
#[derive(Debug, Default)]
pub(super) struct Stapling {
    pub(super) answer: Option<Vec<u8>>,
    /// Whom to ask about what.
    pub(super) source: Option<(Subject, String)>,
    /// When an answer from a file ends; what is fetched is looked after by who fetches it.
    pub(super) file_ends: Option<SystemTime>,
    pub(super) warning: Option<Warning>,
}

/// Finds out what to staple beside a chain at `now`.
pub(super) fn stapling(
    certificate: &Certificate,
    chain: &[CertificateDer<'static>],
    disk: &dyn Files,
    provider: &CryptoProvider,
    now: SystemTime,
    staples: &Staples,
) -> Result<Stapling, Error> {
    match &certificate.ocsp {
        Ocsp::Off => Ok(Stapling::default()),
        Ocsp::File(path) => from_file(path, chain, disk, provider, now),
        Ocsp::WhereDemanded => Ok(fetched(certificate, chain, false, now, staples)),
        Ocsp::Fetch => Ok(fetched(certificate, chain, true, now, staples)),
    }
}

fn fetched(
    certificate: &Certificate,
    chain: &[CertificateDer<'static>],
    is_wanted: bool,
    now: SystemTime,
    staples: &Staples,
) -> Stapling {
    let parsed = chain.first().map(|leaf| parse_x509_certificate(leaf));
    let Some(Ok((_, leaf))) = parsed else {
        return Stapling::default();
    };
    let is_demanded = must_staple(&leaf);
    if !is_wanted && !is_demanded {
        return Stapling::default();
    }
    let warning = |why| Stapling {
        warning: Some(Warning::NoAnswer {
            path: certificate.chain.clone(),
            why,
        }),
        ..Stapling::default()
    };
    let Some(url) = responder(&leaf) else {
        return warning("it names no responder that is asked over http://");
    };
    let Some(subject) = Subject::of(chain) else {
        return warning("its issuer's certificate does not follow it in the file");
    };
    Stapling {
        answer: staples.current(&chain[0], now),
        source: Some((subject, url)),
        ..Stapling::default()
    }
}

/// An answer that is about something else is an error; one that is only too old is left out, for
/// what keeps the file fresh may be late.
fn from_file(
    path: &Path,
    chain: &[CertificateDer<'static>],
    disk: &dyn Files,
    provider: &CryptoProvider,
    now: SystemTime,
) -> Result<Stapling, Error> {
    let answer = read(path, disk, Role::Ocsp)?;
    let Some(subject) = Subject::of(chain) else {
        return Err(unusable(
            path,
            "the issuer's certificate, which it is verified with, does not follow the server's own",
        ));
    };
    match subject.judge(&answer, now, provider) {
        Ok(validity) => Ok(Stapling {
            answer: Some(answer),
            file_ends: Some(validity.next_update),
            ..Stapling::default()
        }),
        Err(problem @ (OcspError::Early(_) | OcspError::Expired(_) | OcspError::Revoked)) => {
            Ok(Stapling {
                warning: Some(Warning::NotStapled {
                    path: path.to_owned(),
                    problem,
                }),
                ..Stapling::default()
            })
        }
        Err(problem) => Err(unusable(path, problem)),
    }
}

fn unusable(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Unusable {
        role: Role::Ocsp,
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
