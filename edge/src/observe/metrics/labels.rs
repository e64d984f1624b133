//! Label values that are not configured: every one is known when the program is built.

use edge_common::BanCause;

/// A set of label values that a metric is indexed by.
pub(super) trait Label: Copy + 'static {
    const ALL: &'static [Self];

    /// Position in [`Label::ALL`].
    fn index(self) -> usize;
    fn as_str(self) -> &'static str;
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl Label for $name {
            const ALL: &'static [$name] = &[$($name::$variant,)+];

            fn index(self) -> usize {
                self as usize
            }

            fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)+
                }
            }
        }
    };
}

label! {
    /// The TLS version of a finished handshake.
    TlsVersion {
        /// TLS 1.2.
        Tls12 = "TLSv1.2",
        /// TLS 1.3.
        Tls13 = "TLSv1.3",
    }
}

label! {
    /// How a request to an upstream failed.
    UpstreamFault {
        /// No connection: refused, unreachable, no such socket.
        Connect = "connect",
        /// As many connections in use as may be.
        Full = "full",
        /// No connection in time.
        ConnectTimeout = "connect_timeout",
        /// No response head, or silence inside a body of known length, for too long.
        ResponseTimeout = "response_timeout",
        /// Closed or reset before the response was complete.
        Closed = "closed",
        /// The answer is not valid HTTP.
        BadResponse = "bad_response",
    }
}

label! {
    /// Who asked for a ban.
    BanOrigin {
        /// A client that ignored 429.
        Limit = "limit",
        /// Failed TLS handshakes.
        Handshake = "handshake",
        /// Broken, oversize or smuggling requests, and streams reset in bulk.
        Protocol = "protocol",
        /// Requests that failed to authenticate.
        Auth = "auth",
        /// The admin socket.
        Admin = "admin",
        /// A list that an operator took in.
        Import = "import",
    }
}

impl BanOrigin {
    /// Who set a ban for this.
    pub fn of(cause: BanCause) -> BanOrigin {
        match cause {
            BanCause::Refused => BanOrigin::Limit,
            BanCause::Handshake => BanOrigin::Handshake,
            BanCause::Malformed | BanCause::Smuggling | BanCause::Oversize | BanCause::Resets => {
                BanOrigin::Protocol
            }
            BanCause::Auth => BanOrigin::Auth,
            BanCause::Admin => BanOrigin::Admin,
            BanCause::Import => BanOrigin::Import,
        }
    }
}

label! {
    /// Why an attempt at a QUIC connection came to nothing.
    QuicFailure {
        /// It took too long.
        Timeout = "timeout",
        /// TLS: no common parameters, no such name, a certificate refused.
        Tls = "tls",
        /// The client broke the rules of QUIC.
        Transport = "transport",
        /// The client closed it.
        Closed = "closed",
        /// There was no room for it, or for more of its address.
        Refused = "refused",
    }
}

/// How a TLS handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// Both sides agreed.
    Done(TlsVersion),
    /// An alert, a protocol error or a closed connection.
    Failed,
    /// It took too long.
    TimedOut,
}

impl Label for Handshake {
    const ALL: &'static [Handshake] = &[
        Handshake::Done(TlsVersion::Tls12),
        Handshake::Done(TlsVersion::Tls13),
        Handshake::Failed,
        Handshake::TimedOut,
    ];

    fn index(self) -> usize {
        match self {
            Handshake::Done(version) => version.index(),
            Handshake::Failed => 2,
            Handshake::TimedOut => 3,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Handshake::Done(_) => "ok",
            Handshake::Failed => "failed",
            Handshake::TimedOut => "timeout",
        }
    }
}

impl Handshake {
    /// The version label; nothing was agreed on in a handshake that failed.
    pub(super) fn version(self) -> &'static str {
        match self {
            Handshake::Done(version) => version.as_str(),
            Handshake::Failed | Handshake::TimedOut => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_a_position() {
        fn check<L: Label>() {
            for (position, label) in L::ALL.iter().enumerate() {
                assert_eq!(label.index(), position);
            }
        }
        check::<TlsVersion>();
        check::<UpstreamFault>();
        check::<BanOrigin>();
        check::<QuicFailure>();
        check::<Handshake>();
    }
}
