//! Which servers are believed, and why one is not.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::client::ClientError;
use crate::config::UpstreamTls;

pub(super) fn roots(settings: &UpstreamTls) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    match &settings.content.ca {
        Some(pem) => {
            for certificate in certificates(pem)? {
                roots.add(certificate).map_err(ClientError::Authority)?;
            }
        }
        None => {
            let native = rustls_native_certs::load_native_certs().certs;
            if roots.add_parsable_certificates(native).0 == 0 {
                return Err(ClientError::NoRoots);
            }
        }
    }
    Ok(roots)
}

pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or(ClientError::NoCertificate)
}

/// Why a server is not believed, as a word for logs; `None` where something else went wrong.
pub fn distrust(error: &io::Error) -> Option<&'static str> {
    let inner = error.get_ref()?.downcast_ref::<TlsError>()?;
    let TlsError::InvalidCertificate(reason) = inner else {
        return Some("upstream_tls");
    };
    Some(match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "upstream_certificate_expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "upstream_certificate_not_yet_valid"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "upstream_certificate_name"
        }
        // An authority of the same name with another key shows as a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "upstream_certificate_untrusted"
        }
        _ => "upstream_certificate",
    })
}

/// The same error once more, for another who waited for the same connection.
pub fn repeat(error: &io::Error) -> io::Error {
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(inner) => io::Error::new(error.kind(), inner.clone()),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// Believes any certificate whose key the server has: `insecure = true`.
#[derive(Debug)]
pub(super) struct Anybody(pub(super) Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
