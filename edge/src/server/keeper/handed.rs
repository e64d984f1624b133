//! Files as the keeper handed them over.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::files::Files;

/// Files by path, each open or with the reason why not.
#[derive(Debug, Default)]
pub(in crate::server) struct Handed(HashMap<PathBuf, Result<File, i32>>);

impl Handed {
    pub(in crate::server) fn add(&mut self, path: PathBuf, file: Result<File, i32>) {
        self.0.insert(path, file);
    }
}

/// What changes when a file does: device, inode, size, time of the last change.
pub(in crate::server) type Fingerprint = (u64, u64, u64, i64, i64);

impl Handed {
    /// `None` for a file that cannot be opened.
    pub(in crate::server) fn fingerprint(&self, path: &Path) -> Option<Fingerprint> {
        let file = self.0.get(path)?.as_ref().ok()?;
        let data = file.metadata().ok()?;
        Some((
            data.dev(),
            data.ino(),
            data.len(),
            data.mtime(),
            data.mtime_nsec(),
        ))
    }
}

impl Handed {
    fn opened(&self, path: &Path) -> io::Result<&File> {
        match self.0.get(path) {
            Some(Ok(file)) => Ok(file),
            Some(Err(errno)) => Err(io::Error::from_raw_os_error(*errno)),
            None => Err(io::Error::other(
                "the configuration changed while it was read; try again",
            )),
        }
    }
}

impl Files for Handed {
    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let file = self.opened(path)?;
        let mut bytes = Vec::new();
        let mut chunk = [0; 16 * 1024];
        // By position: a file may be read more than once.
        while (bytes.len() as u64) < most {
            let wanted = chunk.len().min((most - bytes.len() as u64) as usize);
            match file.read_at(&mut chunk[..wanted], bytes.len() as u64)? {
                0 => break,
                read => bytes.extend_from_slice(&chunk[..read]),
            }
        }
        Ok(bytes)
    }

    fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        self.opened(path)?.try_clone().map(OwnedFd::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_so_far_as_often_as_it_is_asked_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("long");
        let content: Vec<u8> = (0..40_000u32).map(|n| n as u8).collect();
        std::fs::write(&path, &content).expect("written");
        let mut handed = Handed::default();
        handed.add(path.clone(), Ok(File::open(&path).expect("open")));
        handed.add("gone".into(), Err(libc::ENOENT));
        for _ in 0..2 {
            assert_eq!(handed.read(&path, 1 << 20).expect("readable"), content);
        }
        assert_eq!(
            handed.read(&path, 20_001).expect("readable"),
            content[..20_001]
        );
        let gone = handed.read(Path::new("gone"), 1).expect_err("it is gone");
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        let unknown = handed
            .read(Path::new("unknown"), 1)
            .expect_err("not handed");
        assert!(unknown.to_string().contains("try again"), "{unknown}");
    }
}
