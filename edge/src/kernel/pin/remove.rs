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
    let mut failed = None;
    for version in versions.into_iter().chain([path.join(NEW)]) {
        done.found |= version.exists();
        match remove_version(&version) {
            Ok(interfaces) => done.interfaces.extend(interfaces),
            Err(error) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        return Err(refused(error));
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
    // All of them, whatever becomes of one: bans that stay would come back.
    let failures: Vec<io::Error> = names
        .iter()
        .filter_map(|name| remove_name(name).err())
        .collect();
    match failures.into_iter().next() {
        Some(error) => return Err(error),
        None => fs::remove_dir(version)?,
    }
    Ok(interfaces)
}

fn remove_name(path: &Path) -> io::Result<()> {
    fs::remove_file(path).map_err(|error| {
        let message = format!("{} cannot be removed: {error}", path.display());
        io::Error::new(error.kind(), message)
    })
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
