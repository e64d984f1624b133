//! What is said on a connection of calls. Pure: bytes in, bytes out.

mod frames;
mod http1;
mod http2;
mod single;
mod websocket;

use anyhow::Result;

use crate::origin::ANSWER_BYTES;

/// What connections speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// A call is a request; one at a time on a connection.
    #[default]
    Http1,
    /// A call is a stream; as many at a time as there are streams.
    Http2 { streams: usize },
    /// A call is a message that is answered by another; one at a time on a connection.
    WebSocket,
}

impl Language {
    /// Its name in ALPN.
    pub(crate) fn alpn(self) -> &'static str {
        match self {
            Self::Http1 | Self::WebSocket => "http/1.1",
            Self::Http2 { .. } => "h2",
        }
    }

    /// Calls that a connection can have under way.
    pub(super) fn calls_max(self) -> usize {
        match self {
            Self::Http1 | Self::WebSocket => 1,
            Self::Http2 { streams } => streams,
        }
    }

    /// For a new connection to this authority.
    pub(super) fn speak(self, authority: &str) -> Box<dyn Speech> {
        match self {
            Self::Http1 => Box::new(http1::Http1::new(authority)),
            Self::Http2 { .. } => Box::new(http2::Http2::new(authority)),
            Self::WebSocket => Box::new(websocket::WebSocket::new(authority)),
        }
    }
}

/// One side of a conversation.
pub(super) trait Speech {
    /// What comes before the first call.
    fn open(&mut self, out: &mut Vec<u8>);

    /// Whether calls may be made.
    fn is_open(&self) -> bool;

    /// Makes the call number `serial`, which was to be made at `since_ns`.
    fn call(&mut self, serial: u64, since_ns: u64, out: &mut Vec<u8>) -> Result<()>;

    /// Takes what has come. Puts into `done` when the calls were to be made whose answers are now
    /// whole and right, and into `out` what has to be said to that.
    ///
    /// # Errors
    /// When anything is not as it should be: the connection is of no use any more.
    fn read(
        &mut self,
        bytes: &[u8],
        body: &[u8; ANSWER_BYTES],
        done: &mut Vec<u64>,
        out: &mut Vec<u8>,
    ) -> Result<()>;

    /// Calls that wait for their answers.
    fn under_way(&self) -> usize;

    /// Whether the other side will answer no further call.
    fn is_last(&self) -> bool {
        false
    }
}
