//! Everything wrong with the certificates of a configuration, at once, before anything is served.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls_pki_types::ServerName;

use super::clients::verifier;
use super::error::{Error, Warning};
use super::load::{Loaded, load};
use super::ocsp::{Staples, Target};
use super::provider::provider;
use super::server::Server;
use crate::config::{Certificate, Host, HostName};
use crate::files::Files;

/// A certificate with less left than this is worth a warning.
const SOON: Duration = Duration::from_secs(14 * DAY_SECS);
const DAY_SECS: u64 = 24 * 60 * 60;

/// What [`inspect`] found.
#[derive(Debug, Default)]
pub struct Report {
    /// What keeps a certificate from being served.
    pub errors: Vec<Error>,
    /// What will disappoint clients, now or soon.
    pub warnings: Vec<Warning>,
    /// When the certificates that can be served end, in the order of the hosts.
    pub expiries: Vec<Expiry>,
    /// Certificates whose authorities are asked about them, once each.
    pub targets: Vec<Target>,
    /// When the first answer from a file ends, and must no longer be shown.
    pub answers_end: Option<SystemTime>,
}

impl Report {
    /// The host's first name and the end of its certificate.
    pub fn expiries(&self) -> Vec<(String, SystemTime)> {
        let expiries = self.expiries.iter();
        expiries
            .map(|Expiry { host, not_after }| (host.clone(), *not_after))
            .collect()
    }
}

/// When the certificate of a host ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The host's first name, as in the configuration.
    pub host: String,
    /// The certificate's last moment.
    pub not_after: SystemTime,
}

/// Errors and warnings about the certificates of all hosts, as of now.
pub fn check(hosts: &[Host], disk: &dyn Files) -> (Vec<Error>, Vec<Warning>) {
    let report = inspect(hosts, disk, SystemTime::now(), None);
    (report.errors, report.warnings)
}

/// Looks at the certificates of all hosts as they would be served at `now`.
///
/// Files that several hosts share are reported once. Where they cannot be used, but `before` serves
/// what they held, there is an error, and all else is about that.
pub fn inspect(
    hosts: &[Host],
    disk: &dyn Files,
    now: SystemTime,
    before: Option<&Server>,
) -> Report {
    let provider = Arc::new(provider());
    let mut report = Report::default();
    let mut seen: HashMap<&Certificate, Option<Loaded>> = HashMap::new();
    for host in hosts {
        if let Some(settings) = &host.client_auth {
            report
                .errors
                .extend(verifier(settings, disk, &provider).err());
        }
        let Some(files) = &host.certificate else {
            continue;
        };
        let loaded = seen.entry(files).or_insert_with(|| {
            let staples = Staples::default();
            let there = before.and_then(|before| before.certificate(files));
            let (loaded, errors) = load(files, there, disk, &provider, now, &staples);
            report.errors.extend(errors);
            let loaded = loaded?;
            report.warnings.extend(out_of_time(files, &loaded, now));
            report.warnings.extend(loaded.stapling.warning.clone());
            report.targets.extend(target(host, &loaded));
            let ends = [report.answers_end, loaded.stapling.file_ends];
            report.answers_end = ends.into_iter().flatten().min();
            Some(loaded)
        });
        let Some(loaded) = loaded else {
            continue;
        };
        report.warnings.extend(not_covered(host, files, loaded));
        report.expiries.push(Expiry {
            host: host.names.first().map(text).unwrap_or_default(),
            not_after: loaded.not_after,
        });
    }
    report
}

fn target(host: &Host, loaded: &Loaded) -> Option<Target> {
    let (subject, url) = loaded.stapling.source.clone()?;
    Some(Target {
        subject,
        url,
        host: host.names.first().map(text).unwrap_or_default(),
    })
}

/// What clients think of its dates, now or soon.
fn out_of_time(files: &Certificate, loaded: &Loaded, now: SystemTime) -> Option<Warning> {
    let path = files.chain.clone();
    let Loaded {
        not_before,
        not_after,
        ..
    } = *loaded;
    let Ok(left) = not_after.duration_since(now) else {
        return Some(Warning::Expired { path, not_after });
    };
    if now < not_before {
        return Some(Warning::NotYetValid { path, not_before });
    }
    (left < SOON).then_some(Warning::ExpiresSoon {
        path,
        not_after,
        days: left.as_secs() / DAY_SECS,
    })
}

fn not_covered(host: &Host, files: &Certificate, loaded: &Loaded) -> Vec<Warning> {
    host.names
        .iter()
        .filter(|name| !covers(loaded, name))
        .map(|name| Warning::NotCovered {
            path: files.chain.clone(),
            name: text(name),
        })
        .collect()
}

/// Whether a client that asks for `name` would accept the certificate's names (RFC 9525 §6).
fn covers(loaded: &Loaded, name: &HostName) -> bool {
    let asked = match name {
        HostName::Any => return true,
        HostName::Exact(name) => name.clone(),
        // Only a wildcard covers every label; this one is no name that a certificate would list.
        HostName::Wildcard(parent) => format!("any-label-at-all.{parent}"),
    };
    let Ok(asked) = ServerName::try_from(asked) else {
        return false;
    };
    loaded
        .key
        .end_entity_cert()
        .and_then(ParsedCertificate::try_from)
        .and_then(|leaf| verify_server_name(&leaf, &asked))
        .is_ok()
}

fn text(name: &HostName) -> String {
    match name {
        HostName::Exact(name) => name.clone(),
        HostName::Wildcard(parent) => format!("*.{parent}"),
        HostName::Any => "*".to_owned(),
    }
}

#[cfg(test)]
mod tests;
