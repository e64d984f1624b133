//! The protocol label shared by log lines and metrics.

/// The HTTP version an exchange was spoken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    H2,
    /// HTTP/3.
    H3,
}

impl Protocol {
    /// Every protocol; the position of one is its [`Protocol::index`].
    pub const ALL: [Protocol; 4] = [
        Protocol::Http10,
        Protocol::Http11,
        Protocol::H2,
        Protocol::H3,
    ];

    /// The name as it stands in log lines and labels; from HTTP/1.1 on that of ALPN.
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Http10 => "http/1.0",
            Protocol::Http11 => "http/1.1",
            Protocol::H2 => "h2",
            Protocol::H3 => "h3",
        }
    }

    /// Position in [`Protocol::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}
