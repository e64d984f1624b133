//! From a path to a configuration.

use std::path::Path;

use super::Config;
use super::read::{HostPlaces, Machine, read};
use super::report::{ConfigErrors, Diagnostic, Report, Severity};
use super::source::Source;
use crate::files::{Disk, Files};

/// A configuration with what is worth saying about it, and the means to say more.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What works but is hardly meant, in the order of the file.
    pub warnings: Vec<Diagnostic>,
    source: Source,
    places: Vec<Option<HostPlaces>>,
}

impl Config {
    /// Reads and validates a file. Certificates are not opened here: [`crate::tls`] does that.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        Loaded::load(path).map(|loaded| loaded.config)
    }

    /// Reads a file for the paths and addresses in it: nobody is asked about names of servers, which
    /// stand for no address then.
    pub fn load_unresolved(path: &Path) -> Result<Config, ConfigErrors> {
        let source = Source::read(path, &Disk)?;
        Loaded::from_source(source, Machine::asking_nobody()).map(|loaded| loaded.config)
    }

    /// Every file that must be read to serve this, once each.
    pub fn files(&self) -> Vec<&Path> {
        let certificates = self
            .hosts
            .iter()
            .filter_map(|host| host.certificate.as_ref());
        let mut files: Vec<&Path> = certificates
            .flat_map(|files| [&*files.chain, &*files.key])
            .collect();
        files.sort_unstable();
        files.dedup();
        files
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
        Self::from_source(Source::read(path, files)?, Machine::this())
    }

    /// Validates text; `path` is what messages call it, and where relative paths start.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        Self::from_source(Source::new(text, path), Machine::this())
    }

    pub(super) fn from_source(source: Source, machine: Machine) -> Result<Self, ConfigErrors> {
        let report = Report::new(&source);
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

    /// A finding about a certificate or key file, shown at the line that names it first; without
    /// such a line, about the configuration as a whole.
    pub fn about_file(
        &self,
        file: Option<&Path>,
        severity: Severity,
        message: impl Into<String>,
    ) -> Diagnostic {
        let hosts = self.config.hosts.iter().zip(&self.places);
        let span = hosts
            .filter_map(|(host, places)| host.certificate.as_ref().zip(places.as_ref()))
            .find_map(|(files, places)| match file {
                Some(file) if file == files.chain => Some(places.certificate.clone()),
                Some(file) if file == files.key => Some(places.key.clone()),
                _ => None,
            });
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
