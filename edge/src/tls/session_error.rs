//! Why a session ended badly, and whose fault that is.

use rustls::{AlertDescription, Error};

/// A session that cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SessionError {
    /// The client sent what TLS forbids, or bytes that are no TLS at all.
    #[error("the client broke the TLS protocol: {0}")]
    Protocol(#[source] Error),

    /// The client offers nothing that this server accepts (an old version, no common ALPN).
    #[error("the client offers nothing in common: {0}")]
    Incompatible(#[source] Error),

    /// The client asked for a name that no host has.
    #[error("no host is called {0:?}")]
    UnknownName(Box<str>),

    /// The client ended the session with an alert.
    #[error("the client sent the alert {0:?}")]
    Alert(AlertDescription),

    /// An unfinished message grew past the bound.
    #[error("an unfinished TLS message exceeds {0} bytes")]
    Oversized(usize),

    /// Asked to encrypt before the handshake is complete.
    #[error("the handshake is not complete")]
    Handshaking,

    /// Asked to encrypt after the session was closed.
    #[error("the session is closed")]
    Closed,

    /// The keys have encrypted all that they safely can.
    #[error("the session's keys are used up")]
    Exhausted,

    /// The library failed on its own.
    #[error("TLS failed: {0}")]
    Internal(#[source] Error),
}

impl SessionError {
    /// Sorts the library's errors by whose fault they are.
    pub(super) fn from_library(error: Error) -> Self {
        match error {
            Error::AlertReceived(alert) => Self::Alert(alert),
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Self::Incompatible(error),
            Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::InvalidMessage(_)
            | Error::DecryptError
            | Error::PeerMisbehaved(_)
            | Error::NoCertificatesPresented
            | Error::InvalidCertificate(_)
            | Error::InvalidEncryptedClientHello(_)
            | Error::PeerSentOversizedRecord => Self::Protocol(error),
            _ => Self::Internal(error),
        }
    }

    /// Whether the client is to blame: what may count towards a ban of its address.
    ///
    /// A client that refuses our certificate is not: it does not trust it, which is ours to mend.
    pub fn is_peer_fault(&self) -> bool {
        match self {
            Self::Protocol(_) | Self::Incompatible(_) | Self::UnknownName(_) => true,
            Self::Oversized(_) => true,
            Self::Alert(alert) => !blames_certificate(*alert),
            Self::Handshaking | Self::Closed | Self::Exhausted | Self::Internal(_) => false,
        }
    }

    /// A word for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Protocol(_) => "protocol",
            Self::Incompatible(_) => "incompatible",
            Self::UnknownName(_) => "unknown_name",
            Self::Alert(alert) if blames_certificate(*alert) => "certificate_refused",
            Self::Alert(_) => "alert",
            Self::Oversized(_) => "oversized",
            Self::Handshaking => "handshaking",
            Self::Closed => "closed",
            Self::Exhausted => "exhausted",
            Self::Internal(_) => "internal",
        }
    }
}

fn blames_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::BadCertificateStatusResponse
            // The signature of an authority of the same name but another key, as a new
            // development authority has.
            | AlertDescription::DecryptError
    )
}
