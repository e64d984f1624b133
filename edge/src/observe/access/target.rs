//! Where the access log's lines go.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::config::LogTarget;

/// Why the access log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file cannot be opened for appending.
    #[error("cannot open the access log {}: {source}", path.display())]
    Open {
        /// The configured path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The writer thread cannot be started.
    #[error("cannot start the access log's thread: {0}")]
    Thread(#[source] io::Error),
}

/// Where the lines will go, opened. A path that cannot be written stops the start, and the process
/// gives up its privileges in between.
pub struct AccessTarget(pub(super) Option<Box<dyn Write + Send>>);

impl AccessTarget {
    /// Opens the target.
    pub fn open(target: &LogTarget) -> Result<AccessTarget, AccessError> {
        match target {
            LogTarget::Off => Ok(AccessTarget(None)),
            LogTarget::Stdout => Ok(AccessTarget(Some(Box::new(io::stdout())))),
            LogTarget::File(path) => match open_file(path) {
                Ok(file) => Ok(file.into()),
                Err(source) => Err(AccessError::Open {
                    path: path.clone(),
                    source,
                }),
            },
        }
    }
}

impl fmt::Debug for AccessTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTarget").finish_non_exhaustive()
    }
}

impl From<File> for AccessTarget {
    fn from(file: File) -> AccessTarget {
        AccessTarget(Some(Box::new(file)))
    }
}

/// Opens a file for appending; one that is not there is made with mode 0640.
pub fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(path)
}
