//! Who has a pin directory locked.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name, empty if that cannot be read.
    pub name: String,
}

impl Holder {
    /// The process that has locked a directory, if the kernel shows it.
    pub(super) fn of(path: &Path) -> Option<Holder> {
        let inode = fs::metadata(path).ok()?.ino();
        let dev = fs::metadata(path).ok()?.dev();
        let (major, minor) = (libc::major(dev), libc::minor(dev));
        let locks = fs::read_to_string("/proc/locks").ok()?;
        Holder::from_pid(pid_of(&locks, &format!("{major:02x}:{minor:02x}:{inode}"))?)
    }

    /// A process by its number.
    pub(in crate::kernel) fn from_pid(pid: u32) -> Option<Holder> {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Some(Holder {
            pid,
            name: name.trim().to_owned(),
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.name {
            "" => write!(f, "process {}", self.pid),
            name => write!(f, "{name}, process {}", self.pid),
        }
    }
}

/// proc_locks(5): number, kind, whether advisory, access, process, device and inode, range.
fn pid_of(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, found, ..] = fields[..] else {
            return None;
        };
        (found == file).then(|| pid.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 00:1e:5 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4711 00:1e:5 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 4712 00:1e:5 0 EOF\n";
        assert_eq!(pid_of(locks, "00:1e:5"), Some(4711));
        assert_eq!(pid_of(locks, "00:1e:6"), None);
        assert_eq!(pid_of("nonsense", "00:1e:6"), None);
    }

    #[test]
    fn a_lock_of_our_own_is_ours() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::open(dir.path()).unwrap();
        assert_eq!(Holder::of(dir.path()), None);
        file.lock().unwrap();
        let holder = Holder::of(dir.path()).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(!holder.name.is_empty());
    }
}
