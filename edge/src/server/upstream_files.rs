//! Files for TLS to upstreams, read and tried.

use std::path::PathBuf;

use crate::config::{Config, UpstreamTls};
use crate::files::Files;
use crate::tls::{Client, ClientError};

/// Reads the files for TLS to upstreams, and says what is wrong with them, each with its path where
/// one of them is meant.
pub(super) fn read_upstream_files(
    config: &mut Config,
    files: &dyn Files,
) -> Vec<(Option<PathBuf>, String)> {
    let mut wrong: Vec<(Option<PathBuf>, String)> = Vec::new();
    for (path, error) in config.read_upstream_files(files) {
        let message = format!("file {} cannot be read: {error}", path.display());
        wrong.push((Some(path), message));
    }
    if !wrong.is_empty() {
        return wrong;
    }
    for upstream in &config.upstreams {
        let Some(settings) = &upstream.tls else {
            continue;
        };
        if let Err(error) = Client::new(settings, upstream.protocol.is_h2()) {
            let path = file_of(&error, settings);
            let name = path.map_or(String::new(), |path| format!("file {} ", path.display()));
            wrong.push((path.cloned(), format!("{name}{error}")));
        }
    }
    wrong
}

/// The file that an error is about.
fn file_of<'a>(error: &ClientError, settings: &'a UpstreamTls) -> Option<&'a PathBuf> {
    let identity = settings.identity.as_ref();
    match error {
        ClientError::Authority(_) => settings.ca.as_ref(),
        ClientError::NoKey => identity.map(|(_, key)| key),
        ClientError::Identity(_) => identity.map(|(chain, _)| chain),
        ClientError::NoRoots => None,
        ClientError::NoCertificate => {
            let ca = settings.ca.as_ref().filter(|_| identity.is_none());
            ca.or(identity.map(|(chain, _)| chain))
        }
    }
}
