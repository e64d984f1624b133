//! What a client can do wrong, as far as it counts towards a ban.

use edge_common::BanCause;
use http::StatusCode;

/// Something an honest client hardly ever does. Each comes after a finished TCP handshake, so that
/// the address is the client's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// A request after 429.
    Refused,
    /// A TLS handshake that failed by the client's fault.
    Handshake,
    /// A request that breaks the protocol, or packets that break QUIC.
    Malformed,
    /// A message framed in two ways at once (RFC 9112 §11.2).
    Smuggling,
    /// A head beyond the bounds.
    Oversize,
    /// HTTP/2 streams opened and reset in bulk (CVE-2023-44487).
    Resets,
    /// A request that failed to authenticate.
    Auth,
}

impl Offence {
    /// All of them.
    pub(super) const ALL: [Offence; 7] = [
        Offence::Refused,
        Offence::Handshake,
        Offence::Malformed,
        Offence::Smuggling,
        Offence::Oversize,
        Offence::Resets,
        Offence::Auth,
    ];

    /// The offence of a head that is answered with this status before there is a request.
    pub fn of_refusal(status: StatusCode) -> Option<Offence> {
        match status {
            StatusCode::BAD_REQUEST => Some(Offence::Malformed),
            StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                Some(Offence::Oversize)
            }
            _ => None,
        }
    }

    /// What a ban for it is put down to.
    pub fn cause(self) -> BanCause {
        match self {
            Offence::Refused => BanCause::Refused,
            Offence::Handshake => BanCause::Handshake,
            Offence::Malformed => BanCause::Malformed,
            Offence::Smuggling => BanCause::Smuggling,
            Offence::Oversize => BanCause::Oversize,
            Offence::Resets => BanCause::Resets,
            Offence::Auth => BanCause::Auth,
        }
    }
}
