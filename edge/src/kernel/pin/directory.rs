//! The directory of one `edge`, and the lock that keeps a second one out.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::super::ShieldError;
use super::{Holder, file_system};

/// A predecessor that was killed may take a moment to be gone.
const LOCK_ATTEMPTS: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Only its owner may see and change what is pinned.
const MODE: u32 = 0o700;

/// A locked directory; the lock goes with this, and with the process.
#[derive(Debug)]
pub(in crate::kernel) struct PinDirectory {
    path: PathBuf,
    lock: File,
}

impl Drop for PinDirectory {
    /// Closing would not do: a child that is about to run another program has the file open as well.
    fn drop(&mut self) {
        // A lock that cannot be taken off goes with the last who has the file open.
        let _ = self.lock.unlock();
    }
}

impl PinDirectory {
    /// Makes the directory, and as root the BPF file system below it, and locks it.
    ///
    /// [`ShieldError::InUse`] if another process has it; [`ShieldError::Pin`] where nothing can be
    /// pinned.
    pub(in crate::kernel) fn make(path: &Path) -> Result<PinDirectory, ShieldError> {
        let refused = |cause| ShieldError::Pin {
            path: path.to_owned(),
            cause,
        };
        file_system::provide(path).map_err(refused)?;
        let is_there = path.try_exists().map_err(refused)?;
        DirBuilder::new()
            .recursive(true)
            .mode(MODE)
            .create(path)
            .map_err(refused)?;
        if !is_there {
            tracing::info!(directory = %path.display(), "made a directory for what is pinned");
        }
        PinDirectory::lock(path)
    }

    /// Locks a directory that is there; `None` if it is not.
    pub(super) fn find(path: &Path) -> Result<Option<PinDirectory>, ShieldError> {
        let refused = |cause| ShieldError::Pin {
            path: path.to_owned(),
            cause,
        };
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused(error)),
            Ok(_) if !file_system::is_bpf(path).map_err(refused)? => {
                Err(refused(file_system::not_bpf()))
            }
            Ok(_) => PinDirectory::lock(path).map(Some),
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "before there are workers, or in a command"
    )]
    fn lock(path: &Path) -> Result<PinDirectory, ShieldError> {
        let refused = |cause| ShieldError::Pin {
            path: path.to_owned(),
            cause,
        };
        let file = File::open(path).map_err(refused)?;
        for _ in 0..LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => {
                    return Ok(PinDirectory {
                        path: path.to_owned(),
                        lock: file,
                    });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(refused(error)),
            }
        }
        Err(ShieldError::InUse {
            path: path.to_owned(),
            holder: Holder::of(path),
        })
    }

    /// Where it is.
    pub(in crate::kernel) fn path(&self) -> &Path {
        &self.path
    }

    /// The directories of layouts in it, this one's and others'.
    pub(super) fn versions(&self) -> io::Result<Vec<PathBuf>> {
        versions(&self.path)
    }
}

/// The directories of layouts in a pin directory, sorted.
pub(super) fn versions(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_version = name.to_str().is_some_and(|name| name.starts_with('v'));
        if is_version && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_else_has_the_file_open_does_not_keep_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let first = PinDirectory::lock(dir.path()).unwrap();
        let of_a_child = first.lock.try_clone().unwrap();
        let refused = PinDirectory::lock(dir.path()).unwrap_err();
        assert!(matches!(refused, ShieldError::InUse { .. }), "{refused}");
        drop(first);
        PinDirectory::lock(dir.path()).unwrap();
        drop(of_a_child);
    }
}
