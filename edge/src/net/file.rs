//! An anonymous file that is written once and read once, through the ring.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::{Buf as _, BytesMut};

use super::op;

/// A file without a name, in the directory for temporary files (`TMPDIR`, else `/tmp`): it is gone
/// with its last descriptor, whatever becomes of the process.
pub struct SpoolFile {
    fd: Rc<OwnedFd>,
    len: u64,
}

impl SpoolFile {
    /// An empty file.
    pub fn create() -> io::Result<SpoolFile> {
        Ok(SpoolFile {
            fd: Rc::new(tempfile::tempfile()?.into()),
            len: 0,
        })
    }

    /// Bytes written.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes at the end.
    pub async fn append(&mut self, mut data: BytesMut) -> io::Result<()> {
        let mut at = self.len;
        while !data.is_empty() {
            let (outcome, rest) = op::write(&self.fd, data, at).await;
            let written = outcome?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            data = rest;
            data.advance(written);
            at += written as u64;
        }
        self.len = at;
        Ok(())
    }

    /// Reads at most `most` bytes from `at`; fewer only at the end.
    pub fn read(
        &self,
        at: u64,
        most: usize,
    ) -> impl Future<Output = io::Result<BytesMut>> + use<> + 'static {
        let fd = Rc::clone(&self.fd);
        let len = usize::try_from(self.len.saturating_sub(at)).map_or(most, |left| left.min(most));
        async move {
            let mut data = BytesMut::new();
            while data.len() < len {
                let left = len - data.len();
                let piece = BytesMut::with_capacity(left);
                let (outcome, piece) = op::read(&fd, piece, left, at + data.len() as u64).await;
                if outcome? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                match data.is_empty() {
                    true => data = piece,
                    false => data.extend_from_slice(&piece),
                }
            }
            Ok(data)
        }
    }
}
