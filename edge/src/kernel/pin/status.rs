//! What is pinned, for people who ask.

use std::io;
use std::path::{Path, PathBuf};

use edge_common::{Ban, LAYOUT};

use super::super::{AttachMode, ShieldError};
use super::version::OldMap;
use super::{Holder, directory, file_system, links};
use crate::clock::monotonic_ns;

/// A pinned shield, with or without an `edge` that uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedShield {
    /// Where.
    pub path: PathBuf,
    /// The process that uses it.
    pub holder: Option<Holder>,
    /// The interfaces it is attached to.
    pub interfaces: Vec<PinnedInterface>,
    /// Bans in force.
    pub bans: usize,
    /// It was left by a version of `edge` with another layout of maps than this one's.
    pub is_foreign: bool,
}

/// An interface with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedInterface {
    /// Its name when it was attached.
    pub interface: String,
    /// How it is attached.
    pub mode: AttachMode,
    /// It still is; an interface that went away takes the attachment along.
    pub is_attached: bool,
}

/// What is pinned in a directory; `None` if nothing is.
pub fn pinned(path: &Path) -> Result<Option<PinnedShield>, ShieldError> {
    match look(path) {
        Ok(found) => Ok(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(ShieldError::Pin {
            path: path.to_owned(),
            cause,
        }),
    }
}

fn look(path: &Path) -> io::Result<Option<PinnedShield>> {
    if !file_system::is_bpf(path)? {
        return Err(file_system::not_bpf());
    }
    let versions = directory::versions(path)?;
    let ours = path.join(format!("v{LAYOUT}"));
    let Some(current) = versions
        .iter()
        .find(|version| **version == ours)
        .or(versions.last())
    else {
        return Ok(None);
    };
    let links = links::links(current)?.into_iter();
    Ok(Some(PinnedShield {
        path: path.to_owned(),
        holder: Holder::of(path),
        interfaces: links
            .map(|link| PinnedInterface {
                interface: link.interface,
                mode: link.mode,
                is_attached: link.info.interface != 0,
            })
            .collect(),
        bans: bans(current)?,
        is_foreign: *current != ours,
    }))
}

/// Bans in force: in every layout their values begin with the time they end.
fn bans(version: &Path) -> io::Result<usize> {
    let Some(map) = OldMap::open(&version.join("BANS")) else {
        return Ok(0);
    };
    let now = monotonic_ns();
    let entries = map.entries()?.into_iter();
    let bans = entries.filter_map(|(_, value)| Ban::from_ne_bytes(&value));
    Ok(bans.filter(|ban| ban.holds(now)).count())
}
