//! What is taken over without being asked for: files that have changed, answers of authorities.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::reloader::Reloader;
use super::watch::Watch;
use crate::clock::monotonic_ns;
use crate::config::Config;
use crate::server::keeper::Handed;
use crate::server::load::with_causes;
use crate::server::upstream_files::read_upstream_files;
use crate::tls;

/// Between two warnings about the same certificate.
const WARN_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

impl Reloader {
    /// Takes over certificates, passwords and keys whose files have changed; called every few
    /// seconds.
    pub(super) fn renew(&mut self) {
        let snapshot = Arc::clone(&self.serving.snapshot);
        let config = &snapshot.config;
        if config.watched().is_empty() {
            return;
        }
        // A keeper that is lost is reported where somebody waits for it.
        let Ok(files) = self.keeper.files_again() else {
            return;
        };
        let now = SystemTime::now();
        let have_ended = self.answers_end.is_some_and(|end| now >= end);
        if self.watch.is_due(config, &files) {
            // Also when they are wrong: they are looked at again once they have changed again.
            self.watch = Watch::read(config, &files);
            self.renew_config(config, &files);
        } else if !have_ended {
            return self.repeat_warnings(config, &files);
        }
        if config.listen.https.is_empty() {
            return;
        }
        let report = self.inspect(config, &files, now);
        log_certificates(&report.warnings);
        for error in &report.errors {
            let error = with_causes(error);
            tracing::warn!(
                error,
                "changed certificates cannot be used, the old ones stay"
            );
        }
        self.answers_end = report.answers_end;
        match self.renew_tls(config, &files) {
            Ok(()) => {
                self.metrics.certificates(report.expiries());
                self.stapling.want(report.targets);
                match report.errors.is_empty() {
                    true => tracing::info!("certificates renewed"),
                    false => tracing::info!("all other certificates renewed"),
                }
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!(error, "no certificates renewed, the old ones stay");
            }
        }
    }

    /// What is to be said of certificates, also of those that are served though their files are wrong.
    fn inspect(&self, config: &Config, files: &Handed, now: SystemTime) -> tls::Report {
        tls::inspect(&config.hosts, files, now, self.serving.tls.as_ref())
    }

    /// Shows what authorities have said since.
    pub(super) fn restaple(&mut self) {
        let snapshot = Arc::clone(&self.serving.snapshot);
        let Ok(files) = self.keeper.files_again() else {
            return;
        };
        match self.renew_tls(&snapshot.config, &files) {
            Ok(()) => tracing::debug!("OCSP answers renewed"),
            // Files that are being replaced; when they have been, answers come along.
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!(error, "OCSP answers wait for certificates that can be used");
            }
        }
    }

    fn renew_tls(&mut self, config: &Config, files: &Handed) -> Result<(), tls::Error> {
        let Some(before) = &self.serving.tls else {
            return Ok(());
        };
        let (hosts, staples) = (&config.hosts, self.stapling.staples());
        let tls = tls::renewed(before, hosts, config.tls, files, &self.tickets, staples)?;
        self.serving = self.serving.with_tls(Some(tls), self.keys.as_ref());
        self.tell_or_warn();
        Ok(())
    }

    /// Puts other passwords and keys in force, and what connections to upstreams are secured with;
    /// wrong files leave those that there are.
    fn renew_config(&mut self, config: &Config, files: &Handed) {
        let mut renewed = config.clone();
        let mut wrong: Vec<String> = Vec::new();
        if let Err(errors) = renewed.read_secrets(files) {
            wrong.extend(errors.into_iter().map(|error| error.message));
        }
        let about_upstreams = read_upstream_files(&mut renewed, files);
        wrong.extend(about_upstreams.into_iter().map(|(_, message)| message));
        for error in &wrong {
            tracing::warn!(error, "changed file cannot be used, the old one stays");
        }
        let tls = |config: &Config| -> Vec<_> {
            let upstreams = config.upstreams.iter();
            upstreams.map(|upstream| upstream.tls.clone()).collect()
        };
        let same_upstreams = tls(&renewed) == tls(config);
        if !wrong.is_empty() || (same_upstreams && renewed.same_secrets(config)) {
            return;
        }
        let same_secrets = renewed.same_secrets(config);
        self.serving = self.serving.with_config(renewed);
        self.tell_or_warn();
        if !same_secrets {
            tracing::info!("passwords and keys renewed");
        }
        if !same_upstreams {
            tracing::info!("certificates for upstreams renewed");
        }
    }

    fn tell_or_warn(&mut self) {
        if let Some(problem) = self.tell_workers(Vec::new()) {
            tracing::warn!("{problem}");
        }
    }

    /// A certificate that nobody renews is worth a line a day.
    fn repeat_warnings(&mut self, config: &Config, files: &Handed) {
        let now_ns = monotonic_ns();
        if now_ns.saturating_sub(self.warned_ns) >= WARN_EVERY.as_nanos() as u64 {
            self.warned_ns = now_ns;
            let report = self.inspect(config, files, SystemTime::now());
            log_certificates(&report.warnings);
            for error in &report.errors {
                tracing::warn!("{}", with_causes(error));
            }
        }
    }
}

fn log_certificates(warnings: &[tls::Warning]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}
