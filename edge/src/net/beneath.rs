//! Files below a directory, opened and read through the ring.
//!
//! The kernel itself keeps a path below the directory (openat2(2), since Linux 5.6): whatever is in
//! the path, and whatever symbolic links are met on the way, nothing outside of it is opened, also
//! while somebody renames things.

use std::ffi::CString;
use std::fs::{File, Metadata};
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::op::{self, Transfer};

/// The kernel gives up where something was renamed meanwhile; somebody who renames without end
/// keeps nobody busy.
const TRIES: usize = 4;

/// A file that is open for reading.
pub struct OpenFile {
    fd: Rc<OwnedFd>,
    metadata: Metadata,
}

impl OpenFile {
    /// Opens `path`, which is relative, below a directory. Links that lead out of it fail with
    /// `EXDEV`. A pipe or device is opened without waiting for its other end.
    pub async fn beneath(directory: &Arc<OwnedFd>, path: &CString) -> io::Result<OpenFile> {
        let mut tries = 1;
        let fd = loop {
            match op::open_beneath(directory, path.clone()).await {
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) && tries < TRIES => {
                    tries += 1;
                }
                opened => break opened?,
            }
        };
        // Reads from here on wait for the disk, in the ring.
        fcntl(&fd, FcntlArg::F_SETFL(OFlag::empty()))?;
        let file = File::from(fd);
        let metadata = file.metadata()?;
        Ok(OpenFile {
            fd: Rc::new(file.into()),
            metadata,
        })
    }

    /// What it was when it was opened.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Starts to read at most `most` bytes from `at`; none at the end.
    pub fn read(&self, at: u64, most: usize) -> FileRead {
        FileRead(op::read(&self.fd, BytesMut::with_capacity(most), most, at))
    }
}

/// A read under way.
pub struct FileRead(Transfer);

impl Future for FileRead {
    type Output = io::Result<BytesMut>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|(outcome, data)| outcome.map(|_| data))
    }
}
