//! The client's own streams, read a little at a time.

use bytes::{Buf as _, Bytes};
use quinn::RecvStream;

use crate::message::h3::decode_varint;

/// The stream has ended or was reset, which no stream read with this may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// A stream that is read in small pieces.
pub(super) struct Input {
    recv: RecvStream,
    chunk: Bytes,
}

impl Input {
    pub(super) fn new(recv: RecvStream) -> Input {
        Input {
            recv,
            chunk: Bytes::new(),
        }
    }

    /// Back to the stream, to refuse it.
    pub(super) fn into_inner(self) -> RecvStream {
        self.recv
    }

    pub(super) async fn byte(&mut self) -> Result<u8, Closed> {
        self.fill().await?;
        Ok(self.chunk.get_u8())
    }

    pub(super) async fn varint(&mut self) -> Result<u64, Closed> {
        let mut bytes = [0; 8];
        bytes[0] = self.byte().await?;
        let len = 1usize << (bytes[0] >> 6);
        for byte in &mut bytes[1..len] {
            *byte = self.byte().await?;
        }
        let (value, _) = decode_varint(&bytes[..len]).expect("as many bytes as the first says");
        Ok(value)
    }

    pub(super) async fn take(&mut self, len: usize) -> Result<Vec<u8>, Closed> {
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            self.fill().await?;
            let room = (len - bytes.len()).min(self.chunk.len());
            bytes.extend_from_slice(&self.chunk.split_to(room));
        }
        Ok(bytes)
    }

    pub(super) async fn skip(&mut self, mut len: u64) -> Result<(), Closed> {
        while len > 0 {
            self.fill().await?;
            let room = usize::try_from(len)
                .unwrap_or(usize::MAX)
                .min(self.chunk.len());
            self.chunk.advance(room);
            len -= room as u64;
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), Closed> {
        while self.chunk.is_empty() {
            // Even empty it would keep the datagrams it came with: 64 KiB of them for as long as the
            // connection lasts.
            self.chunk = Bytes::new();
            match self.recv.read_chunk(4096, true).await {
                Ok(Some(chunk)) => self.chunk = chunk.bytes,
                Ok(None) | Err(_) => return Err(Closed),
            }
        }
        Ok(())
    }
}
