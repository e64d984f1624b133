//! Files that a route serves.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// A route that serves the files of a directory.
#[derive(Clone, Debug)]
pub struct FilesAction {
    /// The directory.
    pub root: PathBuf,
    /// It, open; `None` in a configuration that is only looked at.
    pub directory: Option<Arc<OwnedFd>>,
    /// The path of the route is cut off before a file is looked for.
    pub strip_prefix: bool,
    /// What stands for a directory, the first that is there.
    pub index: Vec<String>,
    /// The file, as a path in the directory, that is served where there is none.
    pub fallback: Option<String>,
    /// Beside a file its compressed forms are looked for.
    pub precompressed: bool,
    /// Names that begin with a dot are served.
    pub hidden: bool,
    /// `Cache-Control` of files.
    pub cache_control: Option<String>,
}
