//! A configuration with its certificates: what `edge run` would serve and `edge check` reports.

use std::path::Path;

use super::failure::Failure;
use crate::config::{Config, Diagnostic, Loaded, Severity};
use crate::tls;

/// Loads a file and the certificates it names. Every error is in the failure; otherwise what is
/// worth a warning comes with the configuration.
pub(super) fn load(path: &Path) -> Result<(Config, Vec<Diagnostic>), Failure> {
    let loaded = Loaded::load(path)
        .map_err(|errors| failure(path, errors.iter().len(), errors.to_string()))?;
    let (errors, warnings) = tls::check(&loaded.config.hosts);
    if !errors.is_empty() {
        let shown: Vec<String> = errors
            .iter()
            .map(|error| {
                let finding = loaded.about_file(file(error), Severity::Error, with_causes(error));
                finding.to_string()
            })
            .collect();
        return Err(failure(path, shown.len(), shown.join("\n")));
    }
    let about_certificates = warnings.iter().map(|warning| {
        let (tls::Warning::NotCovered { path, .. } | tls::Warning::ExpiresSoon { path, .. }) =
            warning;
        loaded.about_file(Some(path), Severity::Warning, warning.to_string())
    });
    let warnings = loaded
        .warnings
        .iter()
        .cloned()
        .chain(about_certificates)
        .collect();
    Ok((loaded.config, warnings))
}

fn failure(path: &Path, count: usize, shown: String) -> Failure {
    Failure::Configuration(match count {
        1 => shown,
        count => format!("{shown}\n{}: {count} errors", path.display()),
    })
}

/// The causes name what the operating system said.
fn with_causes(error: &tls::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The file an error is about.
fn file(error: &tls::Error) -> Option<&Path> {
    use tls::Error::*;
    match error {
        Missing { path, .. }
        | Unreadable { path, .. }
        | TooLarge { path, .. }
        | Damaged { path, .. }
        | Nothing { path, .. }
        | EncryptedKey { path }
        | UnsupportedKey { path, .. }
        | UnsupportedCertificate { path, .. }
        | KeyMismatch { key: path, .. }
        | Expired { path, .. }
        | NotYetValid { path, .. } => Some(path),
        NoCertificates | Library(_) => None,
    }
}
