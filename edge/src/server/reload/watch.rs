//! Certificates, passwords and keys that are renewed while the process runs.
//!
//! Every few seconds the files are looked at; what has changed, and has then stayed as it is from
//! one look to the next, is read. Chain and key are two files: between the writing of one and of the
//! other they do not belong together, and then the old pair goes on being served.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::Config;
use crate::server::keeper::{Fingerprint, Handed};

/// Between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The state of every file, by path.
type Seen = BTreeMap<PathBuf, Option<Fingerprint>>;

/// What the files looked like.
#[derive(Debug, Default)]
pub(in crate::server) struct Watch {
    /// When they were read.
    read: Seen,
    /// At the last look, if they had changed.
    changed: Option<Seen>,
}

impl Watch {
    /// The files have been read as they are in `files`.
    pub(in crate::server) fn read(config: &Config, files: &Handed) -> Watch {
        Watch {
            read: seen(config, files),
            changed: None,
        }
    }

    /// Whether it is time to read them again.
    pub(super) fn is_due(&mut self, config: &Config, files: &Handed) -> bool {
        let now = seen(config, files);
        if now == self.read {
            self.changed = None;
            return false;
        }
        let settled = self.changed.as_ref() == Some(&now);
        self.changed = Some(now);
        settled
    }
}

fn seen(config: &Config, files: &Handed) -> Seen {
    let state = |path: &std::path::Path| (path.to_owned(), files.fingerprint(path));
    config.watched().into_iter().map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Certificate, Ocsp};
    use crate::observe::testing;
    use std::fs::{self, File};
    use std::path::Path;

    #[test]
    fn a_change_is_read_once_it_has_settled() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name| directory.path().join(name);
        let mut config = testing::config();
        config.hosts[0].certificate = Some(Certificate {
            chain: path("chain"),
            key: path("key"),
            ocsp: Ocsp::default(),
        });
        let look = || {
            let mut handed = Handed::default();
            for path in [path("chain"), path("key")] {
                let file = File::open(&path).map_err(|_| libc::ENOENT);
                handed.add(path, file);
            }
            handed
        };
        let write = |path: &Path, text: &str| fs::write(path, text).expect("written");
        write(&path("chain"), "one");
        write(&path("key"), "one");
        let mut watch = Watch::read(&config, &look());
        assert!(!watch.is_due(&config, &look()));
        write(&path("chain"), "two of it");
        assert!(!watch.is_due(&config, &look()), "it may go on");
        write(&path("key"), "two of it");
        assert!(!watch.is_due(&config, &look()), "it did");
        assert!(watch.is_due(&config, &look()));
        watch = Watch::read(&config, &look());
        assert!(!watch.is_due(&config, &look()));
        fs::remove_file(path("key")).expect("it is there");
        assert!(!watch.is_due(&config, &look()));
        write(&path("key"), "two of it, and more");
        assert!(!watch.is_due(&config, &look()));
        assert!(watch.is_due(&config, &look()));
    }
}
