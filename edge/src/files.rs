//! The file seam: where the files come from that a configuration names.
//!
//! At the start they are read from the disk. Once the process has given up its privileges, a key
//! that only root may read is out of its reach; then they come from a process that has kept the
//! right to read, see `server::keeper`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Reads files by the path that the configuration names them with.
pub trait Files: std::fmt::Debug {
    /// The first `most` bytes of a file; ask for one more than is acceptable to tell a file that is
    /// too long.
    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>>;

    /// A directory, open; what lies in it is opened with the rights of who serves it.
    fn directory(&self, path: &Path) -> io::Result<OwnedFd>;
}

/// Opens a directory.
pub fn open_directory(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(path)
}

/// The files as this process can read them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

/// Files that are all there and empty: for who wants to know what a configuration names, and not
/// what is in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blank;

impl Files for Blank {
    fn read(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        Disk.directory(path)
    }
}

impl Files for Disk {
    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        open_directory(path).map(OwnedFd::from)
    }
}
