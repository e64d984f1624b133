//! A host that is being worked on.

use std::path::PathBuf;
use std::time::Duration;

use crate::cidr::Cidr;

/// `[maintenance]`: requests are answered 503.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Only while there is this file.
    pub file: Option<PathBuf>,
    /// Who is served nevertheless.
    pub exempt: Vec<Cidr>,
    /// When clients are told to come back.
    pub retry_after: Duration,
}

impl Default for Maintenance {
    /// For everybody, for a while.
    fn default() -> Maintenance {
        Maintenance {
            file: None,
            exempt: Vec::new(),
            retry_after: Duration::from_secs(5 * 60),
        }
    }
}

impl Maintenance {
    /// Whether it is so now. Looks at the disk where a file says so.
    pub fn is_on(&self) -> bool {
        self.file.as_ref().is_none_or(|file| file.exists())
    }
}
