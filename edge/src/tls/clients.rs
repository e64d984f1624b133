//! Certificates of clients: who may issue them, and what is said about one that was shown.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::error::{Error, Role};
use super::load::{damaged, nothing, read};
use crate::config::ClientAuth;
use crate::files::Files;

/// Bytes of a name passed on; longer ones are cut.
const TEXT_MAX: usize = 1024;

/// Judges the certificates of clients as configured.
pub(super) fn verifier(
    settings: &ClientAuth,
    disk: &dyn Files,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let roots = Arc::new(authorities(&settings.ca, disk)?);
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
    if let Some(path) = &settings.crl {
        // Those of intermediates are rarely at hand; the leaf is what gets lost.
        builder = builder
            .with_crls(revoked(path, disk)?)
            .only_check_end_entity_revocation()
            .enforce_revocation_expiration();
    }
    if !settings.required {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|reason| Error::Unusable {
        role: Role::ClientCa,
        path: settings.ca.clone(),
        reason: reason.to_string(),
    })
}

fn authorities(path: &Path, disk: &dyn Files) -> Result<RootCertStore, Error> {
    let text = read(path, disk, Role::ClientCa)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|e| damaged(path, Role::ClientCa, e))?;
        roots.add(certificate).map_err(|reason| Error::Unusable {
            role: Role::ClientCa,
            path: path.to_owned(),
            reason: reason.to_string(),
        })?;
    }
    match roots.is_empty() {
        true => {
            let hint = ": it must contain -----BEGIN CERTIFICATE-----";
            Err(nothing(path, Role::ClientCa, hint))
        }
        false => Ok(roots),
    }
}

fn revoked(
    path: &Path,
    disk: &dyn Files,
) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
    let text = read(path, disk, Role::Crl)?;
    let lists = CertificateRevocationListDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| damaged(path, Role::Crl, e))?;
    match lists.is_empty() {
        true => {
            let hint = ": it must contain -----BEGIN X509 CRL-----";
            Err(nothing(path, Role::Crl, hint))
        }
        false => Ok(lists),
    }
}

/// What is passed on about a client's certificate: text that may stand in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject, as `C=.., O=.., CN=..` in the order of the certificate.
    pub subject: String,
    /// The alternative names: `DNS:a.example, URI:spiffe://b, email:c@example, IP:192.0.2.1`.
    pub san: String,
    /// The certificate as RFC 9440 §2.1 writes it: a byte sequence of RFC 8941.
    pub encoded: String,
}

impl ClientCertificate {
    /// Describes a certificate that has been verified.
    pub(super) fn of(der: &CertificateDer<'_>) -> ClientCertificate {
        let encoded = format!(":{}:", BASE64_STANDARD.encode(der));
        let (subject, san) = match parse_x509_certificate(der) {
            Ok((_, parsed)) => {
                let names = parsed.subject_alternative_name().ok().flatten();
                let names = names.map(|names| names.value.general_names.iter());
                let san: Vec<String> = names
                    .into_iter()
                    .flatten()
                    .filter_map(general_name)
                    .collect();
                (printable(&parsed.subject().to_string()), san.join(", "))
            }
            Err(_) => (String::new(), String::new()),
        };
        ClientCertificate {
            subject,
            san: cut(san),
            encoded,
        }
    }
}

fn general_name(name: &GeneralName<'_>) -> Option<String> {
    let (kind, value) = match name {
        GeneralName::DNSName(name) => ("DNS", (*name).to_owned()),
        GeneralName::URI(uri) => ("URI", (*uri).to_owned()),
        GeneralName::RFC822Name(address) => ("email", (*address).to_owned()),
        GeneralName::IPAddress(bytes) => ("IP", address(bytes)?),
        _ => return None,
    };
    // A comma would look like the next name.
    Some(format!("{kind}:{}", printable(&value).replace(',', "%2C")))
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(std::net::Ipv6Addr::from(v6).to_string())
}

/// A certificate may hold anything; a field must not: what is not printable ASCII, and `%` itself,
/// becomes `%XX`.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..0x20 | 0x7f.. => out.push_str(&format!("%{byte:02X}")),
            byte => out.push(char::from(byte)),
        }
    }
    cut(out)
}

fn cut(mut text: String) -> String {
    text.truncate(TEXT_MAX);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    #[test]
    fn a_hostile_certificate_cannot_leave_its_field() {
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "eve\r\nX-Admin: 1, CN=root %");
        params.subject_alt_names.push(SanType::URI(
            "spiffe://a,DNS:b.test".to_owned().try_into().unwrap(),
        ));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let told = ClientCertificate::of(certificate.der());
        assert!(told.subject.contains("eve%0D%0AX-Admin: 1"), "{told:?}");
        assert!(told.subject.ends_with("%25"), "{told:?}");
        assert_eq!(told.san, "DNS:a.test, URI:spiffe://a%2CDNS:b.test");
        let inner = told.encoded.trim_matches(':');
        assert_eq!(
            BASE64_STANDARD.decode(inner).unwrap(),
            certificate.der().to_vec()
        );
    }
}
