//! Links that have a name.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::super::AttachMode;
use super::super::sys::{self, LinkInfo};

/// A link of an earlier run.
#[derive(Debug)]
pub(in crate::kernel) struct PinnedLink {
    /// Its name.
    pub(in crate::kernel) path: PathBuf,
    /// The interface it was made for.
    pub(in crate::kernel) interface: String,
    /// How it was attached.
    pub(in crate::kernel) mode: AttachMode,
    /// The link.
    pub(in crate::kernel) link: OwnedFd,
    /// What the kernel says about it.
    pub(in crate::kernel) info: LinkInfo,
}

impl PinnedLink {
    /// Detaches it and takes its name away.
    pub(in crate::kernel) fn remove(self) -> io::Result<()> {
        match sys::detach(&self.link) {
            // Its interface is gone: there is nothing to detach from.
            Err(error)
                if error.raw_os_error() != Some(libc::ENOLINK) && self.info.interface != 0 =>
            {
                return Err(error);
            }
            _ => {}
        }
        fs::remove_file(&self.path)
    }
}

/// The name of a link in the directory of a layout. The file system takes no dots, which names of
/// VLAN interfaces have.
fn link_name(mode: AttachMode, interface: &str) -> String {
    let escaped = interface.replace('%', "%25").replace('.', "%2e");
    format!("{}-{escaped}", mode.name())
}

/// Gives a link its name in the directory of a layout, in place of one that has it.
pub(in crate::kernel) fn pin_link(
    version: &Path,
    link: impl AsFd,
    interface: &str,
    mode: AttachMode,
) -> io::Result<()> {
    let path = version.join(link_name(mode, interface));
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    sys::pin(link, &path)
}

fn parse_name(name: &str) -> Option<(AttachMode, String)> {
    let (mode, escaped) = name.split_once('-')?;
    let mode = AttachMode::from_name(mode)?;
    Some((mode, escaped.replace("%2e", ".").replace("%25", "%")))
}

fn open_link(path: &Path) -> io::Result<(OwnedFd, LinkInfo)> {
    let link = sys::open(path)?;
    let info = sys::link_info(&link)?;
    Ok((link, info))
}

/// The links in the directory of a layout.
pub(super) fn links(version: &Path) -> io::Result<Vec<PinnedLink>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(version)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some((mode, interface)) = name.and_then(parse_name) else {
            continue;
        };
        // What is no link of ours protects nothing, and must not keep what does from being attached.
        let Ok((link, info)) = open_link(&path) else {
            tracing::warn!(path = %path.display(), "this is no link of the shield's");
            continue;
        };
        found.push(PinnedLink {
            path,
            interface,
            mode,
            link,
            info,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_what_the_file_system_does_not_take() {
        for interface in ["eth0", "eth0.100", "a%b", "%2e", "veth-h"] {
            let name = link_name(AttachMode::Generic, interface);
            assert!(!name.contains('.'), "{name}");
            let parsed = parse_name(&name);
            assert_eq!(parsed, Some((AttachMode::Generic, interface.to_owned())));
        }
        assert_eq!(parse_name("BANS"), None);
        assert_eq!(parse_name("offload-eth0"), None);
    }
}
