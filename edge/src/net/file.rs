//! An anonymous file that is written once and read once, through the ring.

use std::future::Future;
use std::io;
use std::rc::Rc;

use bytes::BytesMut;
use tokio_uring::fs::File;

/// A file without a name, in the directory for temporary files (`TMPDIR`, else `/tmp`): it is gone
/// with its last descriptor, whatever becomes of the process.
pub struct SpoolFile {
    file: Rc<File>,
    len: u64,
}

impl SpoolFile {
    /// An empty file.
    pub fn create() -> io::Result<SpoolFile> {
        let file = tempfile::tempfile()?;
        Ok(SpoolFile {
            file: Rc::new(File::from_std(file)),
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
    pub async fn append(&mut self, data: BytesMut) -> io::Result<()> {
        let len = data.len() as u64;
        let (outcome, _) = self.file.write_all_at(data, self.len).await;
        outcome?;
        self.len += len;
        Ok(())
    }

    /// Reads at most `most` bytes from `at`; fewer only at the end.
    pub fn read(
        &self,
        at: u64,
        most: usize,
    ) -> impl Future<Output = io::Result<BytesMut>> + use<> + 'static {
        let file = Rc::clone(&self.file);
        let len = usize::try_from(self.len.saturating_sub(at)).map_or(most, |left| left.min(most));
        async move {
            let (outcome, data) = file.read_exact_at(BytesMut::zeroed(len), at).await;
            outcome.map(|()| data)
        }
    }
}
