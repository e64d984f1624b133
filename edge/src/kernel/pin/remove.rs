//! Taking away what is pinned.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::ShieldError;
use super::super::lists::EMPTY_FOR_NS;
use super::super::shield::LISTS;
use super::directory::{self, PinDirectory};
use super::version::OldMap;
use super::{file_system, links};
use crate::clock::monotonic_ns;

/// What was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detached {
    /// The interfaces that are no longer protected.
    pub interfaces: Vec<String>,
    /// Something was pinned, if only maps.
    pub found: bool,
}

/// Detaches the program from every interface and removes maps, links and directory. An `edge` that
/// uses them is [`ShieldError::InUse`], unless `force` takes its protection away under it.
pub fn detach(path: &Path, force: bool) -> Result<Detached, ShieldError> {
    let refused = |cause| ShieldError::Pin {
        path: path.to_owned(),
        cause,
    };
    let _lock = match PinDirectory::find(path) {
        Ok(None) => return Ok(Detached::default()),
        Ok(Some(lock)) => Some(lock),
        Err(ShieldError::InUse { .. }) if force => None,
        Err(error) => return Err(error),
    };
    let mut done = Detached::default();
    let versions = directory::versions(path).map_err(refused)?;
    for version in versions.into_iter().chain([path.join(NEW)]) {
        done.found |= version.exists();
        let interfaces = remove_version(&version).map_err(refused)?;
        done.interfaces.extend(interfaces);
    }
    // It stays where the account may not remove it, for example because root made it for it.
    let _ = fs::remove_dir(path);
    Ok(done)
}

/// The name of a layout's directory before it is complete.
pub(super) const NEW: &str = "new";

/// Removes the directory of one layout, links first; the interfaces they were attached to.
pub(super) fn remove_version(version: &Path) -> io::Result<Vec<String>> {
    if !version.try_exists()? {
        return Ok(Vec::new());
    }
    if !file_system::is_bpf(version)? {
        return Err(file_system::not_bpf());
    }
    let mut interfaces = Vec::new();
    for link in links::links(version)? {
        if link.info.interface != 0 {
            interfaces.push(link.interface.clone());
        }
        link.remove()?;
    }
    empty_lists(version);
    let names: Vec<PathBuf> = fs::read_dir(version)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    names.iter().try_for_each(fs::remove_file)?;
    fs::remove_dir(version)?;
    Ok(interfaces)
}

/// Takes the lists out of their tries before these are freed, as far as time allows. Nothing is
/// attached any more: nobody misses them.
fn empty_lists(version: &Path) {
    let until_ns = monotonic_ns() + EMPTY_FOR_NS;
    for (name, _) in LISTS {
        if let Some(map) = OldMap::open(&version.join(name)) {
            // What is left the kernel frees as it comes.
            let _ = map.empty(until_ns);
        }
    }
}
