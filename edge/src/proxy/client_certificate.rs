//! Certificates that clients have shown: for whom they count, and what upstreams are told of them.

use std::sync::Arc;

use crate::config::ClientAuth;
use crate::message::{Fields, Name};

/// How a client was asked for a certificate, and what it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuthentication {
    /// The settings of the host that the connection was made for.
    pub settings: Arc<ClientAuth>,
    /// What the client has shown; `None` where it need not.
    pub certificate: Option<ClientCertificate>,
}

/// A client's certificate, in text that may stand in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject.
    pub subject: String,
    /// The alternative names.
    pub san: String,
    /// The certificate itself (RFC 9440 §2.1).
    pub encoded: String,
}

/// Whether a connection counts for a host: it was made under the same settings, or neither asks for
/// certificates.
pub(super) fn counts_for(asked: Option<&ClientAuthentication>, host: Option<&ClientAuth>) -> bool {
    asked.map(|asked| &*asked.settings) == host
}

const CERTIFICATE: &str = "client-cert";
const SUBJECT: &str = "x-client-cert-subject";
const SAN: &str = "x-client-cert-san";

/// Tells the upstream what the client has shown.
pub(super) fn push_fields(fields: &mut Fields, asked: Option<&ClientAuthentication>) {
    let Some(shown) = asked.and_then(|asked| asked.certificate.as_ref()) else {
        return;
    };
    for (name, value) in [
        (CERTIFICATE, &shown.encoded),
        (SUBJECT, &shown.subject),
        (SAN, &shown.san),
    ] {
        if !value.is_empty() {
            fields.push(name.as_bytes(), value.as_bytes());
        }
    }
}

/// Whether a field claims what only the edge may say (RFC 9440 §2.4): `client-cert`,
/// `client-cert-chain` and everything that starts with `x-client-cert`, with `_` as with `-`.
pub(super) fn is_claim(name: Name, text: &[u8]) -> bool {
    name == Name::Other
        && (starts_like(text, b"client-cert") || starts_like(text, b"x-client-cert"))
}

fn starts_like(text: &[u8], prefix: &[u8]) -> bool {
    text.len() >= prefix.len()
        && text.iter().zip(prefix).all(|(&b, &p)| match b {
            b'_' => p == b'-',
            b => b.to_ascii_lowercase() == p,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_recognised_however_they_are_spelt() {
        for claim in [
            "Client-Cert",
            "client_cert",
            "CLIENT-CERT-CHAIN",
            "X-Client-Cert-Subject",
            "x_client-cert_san",
            "X-Client-Certificate",
        ] {
            assert!(is_claim(Name::Other, claim.as_bytes()), "{claim}");
        }
        for other in ["Client", "X-Client", "Content-Type", "Client-Certain"] {
            let claimed = is_claim(Name::Other, other.as_bytes());
            assert_eq!(claimed, other == "Client-Certain", "{other}");
        }
    }

    #[test]
    fn a_connection_counts_for_hosts_that_ask_the_same() {
        let settings = |required| ClientAuth {
            ca: "ca.pem".into(),
            crl: None,
            required,
        };
        let asked = ClientAuthentication {
            settings: Arc::new(settings(true)),
            certificate: None,
        };
        assert!(counts_for(None, None));
        assert!(counts_for(Some(&asked), Some(&settings(true))));
        assert!(!counts_for(Some(&asked), Some(&settings(false))));
        assert!(!counts_for(Some(&asked), None));
        assert!(!counts_for(None, Some(&settings(true))));
    }
}
