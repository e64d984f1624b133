//! Why a source is banned.

/// What led to a ban. All but the last two are evidence from finished TCP handshakes, so that nobody
/// can have somebody else banned by forging an address.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BanCause {
    /// Went on after 429.
    Refused,
    /// TLS handshakes that failed by the client's fault.
    Handshake,
    /// Requests that break the protocol.
    Malformed,
    /// A message framed in two ways at once.
    Smuggling,
    /// Heads beyond the bounds.
    Oversize,
    /// HTTP/2 streams opened and reset in bulk.
    Resets,
    /// Failed to authenticate.
    Auth,
    /// An operator, with `edge ban`.
    Admin,
    /// A list of bans that an operator took in.
    Import,
}

impl BanCause {
    /// All of them, in the order of their numbers.
    pub const ALL: [BanCause; 9] = [
        BanCause::Refused,
        BanCause::Handshake,
        BanCause::Malformed,
        BanCause::Smuggling,
        BanCause::Oversize,
        BanCause::Resets,
        BanCause::Auth,
        BanCause::Admin,
        BanCause::Import,
    ];

    /// The one with this number; `None` for a number of another version's.
    pub const fn from_number(number: u8) -> Option<BanCause> {
        if (number as usize) < BanCause::ALL.len() {
            Some(BanCause::ALL[number as usize])
        } else {
            None
        }
    }

    /// The name in logs and lists.
    pub const fn name(self) -> &'static str {
        match self {
            BanCause::Refused => "refused",
            BanCause::Handshake => "handshake",
            BanCause::Malformed => "malformed",
            BanCause::Smuggling => "smuggling",
            BanCause::Oversize => "oversize",
            BanCause::Resets => "resets",
            BanCause::Auth => "auth",
            BanCause::Admin => "admin",
            BanCause::Import => "import",
        }
    }

    /// Who set the ban.
    pub const fn origin(self) -> &'static str {
        match self {
            BanCause::Refused => "limit",
            BanCause::Handshake => "handshake",
            BanCause::Auth => "auth",
            BanCause::Admin => "admin",
            BanCause::Import => "import",
            BanCause::Malformed | BanCause::Smuggling | BanCause::Oversize | BanCause::Resets => {
                "protocol"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_position() {
        for (number, cause) in (0u8..).zip(BanCause::ALL) {
            assert_eq!(cause as u8, number);
            assert_eq!(BanCause::from_number(number), Some(cause));
        }
        assert_eq!(BanCause::from_number(200), None);
    }
}
