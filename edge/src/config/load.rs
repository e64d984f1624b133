//! From a path to a configuration.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Config;
use super::read::{Machine, Places, read};
use super::report::{ConfigErrors, Diagnostic, Report, Severity};
use super::secrets::SecretError;
use super::source::Source;
use crate::files::{Blank, Disk, Files};

/// No chain, key or bundle of authorities comes near this.
const PEM_BYTES_MAX: u64 = 4 << 20;

/// A configuration with what is worth saying about it, and the means to say more.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What works but is hardly meant, in the order of the file.
    pub warnings: Vec<Diagnostic>,
    pub(super) source: Source,
    places: Places,
}

impl Config {
    /// Reads and validates a file. Certificates are not opened here: [`crate::tls`] does that.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        Loaded::load(path).map(|loaded| loaded.config)
    }

    /// Reads a file for the paths and addresses in it: nobody is asked about names of servers, which
    /// stand for no address then, and what it includes is taken to be empty.
    pub fn load_unresolved(path: &Path) -> Result<Config, ConfigErrors> {
        let source = Source::read(path, &Disk)?;
        let loaded = Loaded::from_source(source, Machine::asking_nobody(), &Blank);
        loaded.map(|loaded| loaded.config)
    }

    /// Every file that must be read to serve this, once each.
    pub fn files(&self) -> Vec<&Path> {
        let mut files = self.watched();
        files.extend(self.included.iter().map(|path| &**path));
        files.sort_unstable();
        files.dedup();
        files
    }

    /// Those among them that are taken over whenever they change, without a reload.
    pub fn watched(&self) -> Vec<&Path> {
        let mut files: Vec<&Path> = Vec::new();
        for host in &self.hosts {
            if let Some(certificate) = &host.certificate {
                files.extend([&*certificate.chain, &*certificate.key]);
                files.extend(certificate.ocsp.file());
            }
            if let Some(clients) = &host.client_auth {
                files.push(&clients.ca);
                files.extend(clients.crl.as_deref());
            }
        }
        files.extend(self.secret_files());
        for tls in self.upstreams.iter().filter_map(|one| one.tls.as_ref()) {
            files.extend(tls.ca.as_deref());
            let identity = tls.identity.iter();
            files.extend(identity.flat_map(|(chain, key)| [&**chain, &**key]));
        }
        files.sort_unstable();
        files.dedup();
        files
    }

    /// Every directory whose files are served, once each.
    pub fn directories(&self) -> Vec<&Path> {
        let routes = self.hosts.iter().flat_map(|host| &host.routes);
        let mut roots: Vec<&Path> = routes
            .filter_map(|route| Some(&*route.action.files()?.root))
            .collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    /// Opens the directories whose files are served; those that cannot be, each with the reason.
    pub fn open_directories(&mut self, files: &dyn Files) -> Vec<(PathBuf, io::Error)> {
        let mut opened = HashMap::new();
        let mut failed = Vec::new();
        for root in self.directories() {
            match files.directory(root) {
                Ok(directory) => {
                    opened.insert(root.to_owned(), Arc::new(directory));
                }
                Err(error) => failed.push((root.to_owned(), error)),
            }
        }
        let routes = self.hosts.iter_mut().flat_map(|host| &mut host.routes);
        for route in routes {
            if let Some(files) = route.action.files_mut() {
                files.directory = opened.get(&files.root).cloned();
            }
        }
        failed
    }

    /// Reads what is named for TLS to upstreams; what cannot be read, with the reason.
    pub fn read_upstream_files(&mut self, files: &dyn Files) -> Vec<(PathBuf, io::Error)> {
        let mut failed = Vec::new();
        let mut read = |path: &Path| match files.read(path, PEM_BYTES_MAX) {
            Ok(bytes) => Some(Arc::from(bytes)),
            Err(error) => {
                failed.push((path.to_owned(), error));
                None
            }
        };
        for tls in self.upstreams.iter_mut().filter_map(|one| one.tls.as_mut()) {
            tls.content.ca = tls.ca.as_deref().and_then(&mut read);
            if let Some((chain, key)) = &tls.identity {
                let both = read(chain).zip(read(key));
                tls.content.identity = both.map(|(chain, key)| [chain, key]);
            }
        }
        failed
    }

    /// Validates text; `path` is what messages call it, and where relative paths start.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigErrors> {
        Loaded::parse(text, path).map(|loaded| loaded.config)
    }
}

impl Loaded {
    /// Reads and validates a file.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Self::load_from(path, &Disk)
    }

    /// Reads and validates a file that `files` can read.
    pub fn load_from(path: &Path, files: &dyn Files) -> Result<Self, ConfigErrors> {
        let mut loaded = Self::from_source(Source::read(path, files)?, Machine::this(), files)?;
        let wrong = loaded.config.read_secrets(files).err().unwrap_or_default();
        let shown = |error: SecretError| {
            loaded.about_file(Some(&error.path), Severity::Error, error.message)
        };
        ConfigErrors::none_of(wrong.into_iter().map(shown).collect())?;
        Ok(loaded)
    }

    /// What is wrong with a file itself, whatever the files that it names are like.
    pub fn check_alone(path: &Path, files: &dyn Files) -> Result<(), ConfigErrors> {
        let read = |machine| Self::from_source(Source::read(path, files)?, machine, &Blank);
        match read(Machine::asking_nobody()) {
            Ok(_) => Ok(()),
            // All there is to say, names of servers included.
            Err(errors) => Err(read(Machine::this()).err().unwrap_or(errors)),
        }
    }

    /// Validates text; `path` is what messages call it, and where relative paths start.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        Self::from_source(Source::new(text, path), Machine::this(), &Disk)
    }

    pub(super) fn from_source(
        source: Source,
        machine: Machine,
        files: &dyn Files,
    ) -> Result<Self, ConfigErrors> {
        let report = Report::new(&source, files);
        let read = read(&report, machine);
        let warnings = report.finish()?;
        let (config, places) = read.expect("a file that could not be read has errors");
        Ok(Self {
            config,
            warnings,
            source,
            places,
        })
    }

    /// A finding about a file that is named in a host, shown at the line that names it first; without
    /// such a line, about the configuration as a whole.
    pub fn about_file(
        &self,
        file: Option<&Path>,
        severity: Severity,
        message: impl Into<String>,
    ) -> Diagnostic {
        let mut places = self.places.iter();
        let named = places.find(|(path, _)| Some(&**path) == file);
        let span = named.map(|(_, span)| span.clone());
        Diagnostic::new(&self.source, span.unwrap_or(0..0), severity, message.into())
    }
}

impl Config {
    /// What `edge check` prints behind `ok`: the number of hosts, routes and upstreams.
    pub fn summary(&self) -> String {
        let count = |number: usize, what: &str| match number {
            1 => format!("1 {what}"),
            number => format!("{number} {what}s"),
        };
        let routes = self.hosts.iter().map(|host| host.routes.len()).sum();
        format!(
            "{}, {}, {}",
            count(self.hosts.len(), "host"),
            count(routes, "route"),
            count(self.upstreams.len(), "upstream")
        )
    }
}
