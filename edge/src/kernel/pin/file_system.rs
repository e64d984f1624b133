//! The BPF file system: whether a path is in one, and mounting the usual one.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

/// Where the kernel makes room for it, and where everybody mounts it.
const USUAL: &str = "/sys/fs/bpf";

/// Makes sure that a path which may not exist yet lies in a BPF file system: mounts the usual one
/// where it is missing, which takes root.
pub(super) fn provide(path: &Path) -> io::Result<()> {
    if is_bpf(existing(path))? {
        return Ok(());
    }
    if path.starts_with(USUAL) {
        mount_usual()?;
    }
    match is_bpf(existing(path))? {
        true => Ok(()),
        false => Err(not_bpf()),
    }
}

/// Whether a file or directory is in a BPF file system.
pub(super) fn is_bpf(path: &Path) -> io::Result<bool> {
    Ok(statfs(path)?.filesystem_type() == BPF_FS_MAGIC)
}

/// Why nothing can be pinned somewhere.
pub(super) fn not_bpf() -> io::Error {
    io::Error::other(format!(
        "it is not in a BPF file system, which `mount -t bpf bpf {USUAL}` makes"
    ))
}

/// The path, or the nearest directory above it that is there.
fn existing(path: &Path) -> &Path {
    let mut found = path.ancestors();
    found
        .find(|path| path.symlink_metadata().is_ok())
        .unwrap_or(Path::new("/"))
}

fn mount_usual() -> io::Result<()> {
    // Two at once would mount two, and the second hides what is pinned in the first. The directory
    // below the mount is the same file for both.
    let below = File::open(USUAL)?;
    below.lock()?;
    if is_bpf(Path::new(USUAL))? {
        return Ok(());
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("bpf"), USUAL, Some("bpf"), flags, Some("mode=0700")).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_directory_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(existing(&dir.path().join("a/b")), dir.path());
        let error = provide(&dir.path().join("edge")).unwrap_err();
        assert!(error.to_string().contains("mount -t bpf"), "{error}");
    }
}
