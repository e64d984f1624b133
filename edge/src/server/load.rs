//! A configuration with its certificates: what would be served.

use std::error::Error;
use std::path::Path;

use super::upstream_files::read_upstream_files;
use crate::config::{Config, ConfigErrors, Diagnostic, Loaded, Severity};
use crate::files::Files;
use crate::tls;

/// Loads a file and the certificates it names: all errors, or the configuration with what is worth
/// a warning.
pub fn load(path: &Path, files: &dyn Files) -> Result<(Config, Vec<Diagnostic>), ConfigErrors> {
    let mut loaded = Loaded::load_from(path, files)?;
    let unopened = loaded.config.open_directories(files);
    let about_upstreams = read_upstream_files(&mut loaded.config, files);
    let (errors, warnings) = tls::check(&loaded.config.hosts, files);
    let about_directories = unopened.iter().map(|(path, error)| {
        let shown = path.display();
        let message = format!("directory {shown} cannot be opened: {error}");
        loaded.about_file(Some(path), Severity::Error, message)
    });
    let errors: Vec<Diagnostic> =
        errors
            .iter()
            .map(|error| loaded.about_file(file(error), Severity::Error, with_causes(error)))
            .chain(about_directories)
            .chain(about_upstreams.into_iter().map(|(path, message)| {
                loaded.about_file(path.as_deref(), Severity::Error, message)
            }))
            .collect();
    ConfigErrors::none_of(errors)?;
    let about_certificates = warnings.iter().map(|warning| {
        loaded.about_file(Some(warning.path()), Severity::Warning, warning.to_string())
    });
    let warnings = loaded
        .warnings
        .iter()
        .cloned()
        .chain(about_certificates)
        .collect();
    Ok((loaded.config, warnings))
}

/// Writes warnings to the program's log.
pub fn log_warnings(warnings: &[Diagnostic]) {
    for warning in warnings {
        match warning.line() {
            Some(line) => tracing::warn!(line, "{}", warning.message()),
            None => tracing::warn!("{}", warning.message()),
        }
    }
}

/// An error with its causes, which name what the operating system said; a cause that the error
/// already repeats is left out.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
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
        | NotYetValid { path, .. }
        | Unusable { path, .. } => Some(path),
        NoCertificates | Library(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{load, with_causes};
    use crate::files::Disk;
    use std::path::Path;
    use std::{fs, io};

    const TEXT: &str = r#"
[[host]]
names = ["mcp.example.com", "other.example.com"]
certificate = "chain.pem"
key = "key.pem"
[[host.route]]
upstream = "http://127.0.0.1:8000"
"#;

    /// Writes a configuration and what `fill` adds, loads it, and hands out what an operator sees,
    /// without the directory.
    fn outcome(fill: impl FnOnce(&Path)) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("edge.toml");
        fs::write(&file, TEXT).unwrap();
        fill(directory.path());
        let prefix = format!("{}/", directory.path().display());
        match load(&file, &Disk) {
            Ok((_, warnings)) => Ok(warnings
                .iter()
                .map(|warning| warning.to_string().replace(&prefix, ""))
                .collect()),
            Err(errors) => Err(errors.to_string().replace(&prefix, "")),
        }
    }

    fn write_pair(directory: &Path, names: &[&str]) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let pair = rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(directory.join("chain.pem"), pair.cert.pem()).unwrap();
        fs::write(directory.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    }

    #[test]
    fn a_good_certificate_is_no_news() {
        let names = ["mcp.example.com", "other.example.com"];
        let warnings = outcome(|directory| write_pair(directory, &names));
        assert_eq!(warnings, Ok(Vec::new()));
    }

    #[test]
    fn a_name_that_is_not_covered_is_shown_at_the_certificate() {
        let warnings = outcome(|directory| write_pair(directory, &["mcp.example.com"]));
        insta::assert_snapshot!(warnings.unwrap().join("\n"), @r#"
        edge.toml:4:15: warning: certificate in chain.pem does not cover other.example.com: clients will refuse it, get one that names it
           4 | certificate = "chain.pem"
             |               ^^^^^^^^^^^
        "#);
    }

    #[test]
    fn every_certificate_error_at_once_with_its_cause() {
        insta::assert_snapshot!(outcome(|_| {}).unwrap_err(), @r#"
        edge.toml:4:15: certificate file chain.pem does not exist: correct the path or obtain a certificate first
           4 | certificate = "chain.pem"
             |               ^^^^^^^^^^^
        edge.toml:5:7: key file key.pem does not exist: correct the path or obtain a certificate first
           5 | key = "key.pem"
             |       ^^^^^^^^^
        "#);
        let directories = outcome(|directory| {
            write_pair(directory, &["mcp.example.com"]);
            fs::remove_file(directory.join("key.pem")).unwrap();
            fs::create_dir(directory.join("key.pem")).unwrap();
        });
        insta::assert_snapshot!(directories.unwrap_err(), @r#"
        edge.toml:5:7: key file key.pem cannot be read: make it a file that the account that starts edge can read: Is a directory (os error 21)
           5 | key = "key.pem"
             |       ^^^^^^^^^
        "#);
        let mismatch = outcome(|directory| {
            write_pair(directory, &["mcp.example.com"]);
            let chain = fs::read(directory.join("chain.pem")).unwrap();
            write_pair(directory, &["mcp.example.com"]);
            fs::write(directory.join("chain.pem"), chain).unwrap();
        });
        insta::assert_snapshot!(mismatch.unwrap_err(), @r#"
        edge.toml:5:7: key file key.pem does not belong to the first certificate in chain.pem: the server's own certificate must come first, and the key must be the one it was issued for
           5 | key = "key.pem"
             |       ^^^^^^^^^
        "#);
    }

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("cannot listen")]
        Silent(#[source] io::Error),
        #[error("cannot listen: {0}")]
        Telling(#[source] io::Error),
    }

    #[test]
    fn each_cause_is_said_once() {
        let cause = || io::Error::other("in use");
        assert_eq!(
            with_causes(&Outer::Silent(cause())),
            "cannot listen: in use"
        );
        assert_eq!(
            with_causes(&Outer::Telling(cause())),
            "cannot listen: in use"
        );
    }
}
