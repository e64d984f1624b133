//! Why a stream or a connection ends (RFC 9113 §7).

/// An error code. The names are those of the RFC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the code it is named after")]
pub enum Code {
    NoError = 0x0,
    ProtocolError = 0x1,
    InternalError = 0x2,
    FlowControlError = 0x3,
    StreamClosed = 0x5,
    FrameSizeError = 0x6,
    RefusedStream = 0x7,
    Cancel = 0x8,
    CompressionError = 0x9,
    EnhanceYourCalm = 0xb,
}

impl Code {
    /// As it is sent.
    pub fn bytes(self) -> [u8; 4] {
        (self as u32).to_be_bytes()
    }
}
