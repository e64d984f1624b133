//! Files that a route serves.

use std::collections::HashMap;
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
    /// Where a file is looked for, in turn.
    pub tries: Vec<Attempt>,
    /// The file, as a path in the directory, that is served where there is none.
    pub fallback: Option<String>,
    /// Media types of extensions, before those that are built in.
    pub types: HashMap<Box<str>, Box<str>>,
    /// The media type of what has none.
    pub default_type: Option<Box<str>>,
    /// Beside a file its compressed forms are looked for.
    pub precompressed: bool,
    /// Names that begin with a dot are served.
    pub hidden: bool,
    /// `Cache-Control` of files.
    pub cache_control: Option<String>,
}

/// A place where a file is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The path of the request.
    Path,
    /// What stands for the directory of that name.
    Directory,
    /// The path with this behind it.
    With(String),
    /// This path in the directory.
    At(String),
}
