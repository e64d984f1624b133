//! TLS to the servers of an upstream.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// How the servers of an upstream prove who they are, and how edge does.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UpstreamTls {
    /// The name asked for and looked for in certificates; `None` for that of each server's address.
    pub name: Option<String>,
    /// The authorities that are trusted; `None` for those of the machine.
    pub ca: Option<PathBuf>,
    /// The certificate shown to servers, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whoever answers is believed.
    pub insecure: bool,
    /// What is in the files, once they have been read.
    pub content: UpstreamTlsContent,
}

/// The files that an [`UpstreamTls`] names, as they were read.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct UpstreamTlsContent {
    /// Of `ca`.
    pub ca: Option<Arc<[u8]>>,
    /// Of `identity`: certificates, and the key.
    pub identity: Option<[Arc<[u8]>; 2]>,
}

impl fmt::Debug for UpstreamTlsContent {
    /// A private key is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamTlsContent").finish_non_exhaustive()
    }
}
