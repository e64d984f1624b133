//! Asking authorities about the certificates that are served, so that clients need not (RFC 6960).
//!
//! One thread, away from workers, for all certificates; there is none where nothing is to be asked.
//! An answer is verified before it is shown ([`Subject::judge`](crate::tls::Subject)), replaced
//! half-way through its life, and shown until its end where no other can be had.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use tokio::sync::watch;

use super::reload::Job;
use crate::clock::monotonic_ns;
use crate::observe::metrics::Metrics;
use crate::outbound::{Outbound, OutboundError};
use crate::tls::{self, OcspError, Staple, Staples, Target, Validity};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Answers are a few kilobytes, with the certificate of who signed them.
const BYTES_MAX: usize = 64 * 1024;

/// Between two questions about a certificate, whatever the answer says.
const LEAST: Duration = Duration::from_secs(10);
/// A certificate that has been revoked is known by then.
const MOST: Duration = Duration::from_secs(12 * 60 * 60);
/// An authority that fails is asked again after this, then after twice that, and so on.
const RETRY: Duration = Duration::from_secs(10);
const RETRY_MOST: Duration = Duration::from_secs(60 * 60);
/// For the reload thread to have room for one more job.
const ROOM: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the question cannot be written")]
    Question,
    #[error("{0}")]
    Outbound(#[from] OutboundError),
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("{0}")]
    Answer(#[from] OcspError),
}

/// The thread that asks, once there is something to ask.
pub(super) struct Stapling {
    staples: Staples,
    jobs: SyncSender<Job>,
    metrics: Metrics,
    targets: Option<watch::Sender<Vec<Target>>>,
}

impl Stapling {
    /// Nothing is asked yet; `jobs` is where it is said that there is another answer.
    pub(super) fn new(staples: Staples, jobs: SyncSender<Job>, metrics: Metrics) -> Stapling {
        Stapling {
            staples,
            jobs,
            metrics,
            targets: None,
        }
    }

    /// The answers so far.
    pub(super) fn staples(&self) -> &Staples {
        &self.staples
    }

    /// Keeps the answers about these certificates fresh from now on, and about no others. Call it
    /// after the privileges are gone.
    pub(super) fn want(&mut self, targets: Vec<Target>) {
        if let Some(sender) = &self.targets {
            sender.send_replace(targets);
        } else if !targets.is_empty() {
            let (sender, wanted) = watch::channel(targets);
            let asker = Asker {
                staples: self.staples.clone(),
                jobs: self.jobs.clone(),
                metrics: self.metrics.clone(),
                plans: Vec::new(),
                outbound: Outbound::default(),
            };
            match start(asker, wanted) {
                Ok(()) => self.targets = Some(sender),
                Err(error) => tracing::error!(%error, "no OCSP answers will be stapled"),
            }
        }
    }
}

fn start(asker: Asker, wanted: watch::Receiver<Vec<Target>>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("ocsp".into())
        .spawn(move || runtime.block_on(asker.run(wanted)))
        .map(drop)
}

/// The thread's own.
struct Asker {
    staples: Staples,
    jobs: SyncSender<Job>,
    metrics: Metrics,
    plans: Vec<Plan>,
    outbound: Outbound,
}

/// When a certificate is asked about next.
struct Plan {
    target: Target,
    due_ns: u64,
    /// In a row.
    failures: u32,
}

impl Asker {
    /// Ends when nobody can want anything any more.
    async fn run(mut self, mut wanted: watch::Receiver<Vec<Target>>) {
        let mut untold = false;
        loop {
            self.plan(&wanted.borrow_and_update());
            let subjects = self.plans.iter().map(|plan| &plan.target.subject);
            untold |= self.staples.keep(subjects, SystemTime::now());
            for index in 0..self.plans.len() {
                if self.plans[index].due_ns <= monotonic_ns() {
                    untold |= self.ask(index).await;
                }
            }
            self.show();
            // A full queue is no reason to wait: whatever is in it may take long.
            untold = untold && self.jobs.try_send(Job::Restaple).is_err();
            let mut wait = self.patience();
            if untold {
                wait = wait.min(ROOM);
            }
            if let Ok(Err(_)) = tokio::time::timeout(wait, wanted.changed()).await {
                return;
            }
        }
    }

    /// What is known already is asked when its time comes, what is new at once.
    fn plan(&mut self, targets: &[Target]) {
        self.plans.retain(|plan| targets.contains(&plan.target));
        for target in targets {
            if !self.plans.iter().any(|plan| plan.target == *target) {
                self.plans.push(Plan {
                    target: target.clone(),
                    due_ns: 0,
                    failures: 0,
                });
            }
        }
    }

    /// Asks about one certificate; whether there is another answer now.
    async fn ask(&mut self, index: usize) -> bool {
        let outcome = fetch(&self.outbound, &self.plans[index].target).await;
        let Plan {
            target,
            due_ns,
            failures,
        } = &mut self.plans[index];
        let (host, url) = (&target.host, &target.url);
        self.metrics.ocsp_fetched(outcome.is_ok());
        let wait = match outcome {
            Ok(staple) => {
                *failures = 0;
                let until = httpdate::fmt_http_date(staple.validity.next_update);
                tracing::info!(host, url, until, "OCSP answer fetched");
                let wait = until_next(staple.validity, SystemTime::now());
                let is_other = self.staples.of(&target.subject).as_ref() != Some(&staple);
                self.staples.put(&target.subject, staple);
                *due_ns = monotonic_ns() + wait.as_nanos() as u64;
                return is_other;
            }
            Err(error) => {
                let wait = after_failure(*failures);
                *failures = failures.saturating_add(1);
                let retry_secs = wait.as_secs();
                match error {
                    FetchError::Answer(OcspError::Revoked) => {
                        tracing::error!(host, url, %error, retry_secs, "OCSP answer not stapled");
                    }
                    error => {
                        tracing::warn!(host, url, %error, retry_secs, "no OCSP answer fetched");
                    }
                }
                wait
            }
        };
        *due_ns = monotonic_ns() + wait.as_nanos() as u64;
        false
    }

    /// Until something is due or ends.
    fn patience(&self) -> Duration {
        let now_ns = monotonic_ns();
        let now = SystemTime::now();
        let due = self
            .plans
            .iter()
            .map(|plan| Duration::from_nanos(plan.due_ns.saturating_sub(now_ns)));
        let ends = self.plans.iter().filter_map(|plan| {
            let staple = self.staples.of(&plan.target.subject)?;
            staple.validity.next_update.duration_since(now).ok()
        });
        due.chain(ends).min().unwrap_or(MOST)
    }

    /// Until when each answer is good, for the metrics page.
    fn show(&self) {
        let ends = self.plans.iter().filter_map(|plan| {
            let staple = self.staples.of(&plan.target.subject)?;
            Some((plan.target.host.clone(), staple.validity.next_update))
        });
        self.metrics.ocsp_answers(ends.collect());
    }
}

/// Asks (RFC 6960 appendix A.1) and judges.
async fn fetch(outbound: &Outbound, target: &Target) -> Result<Staple, FetchError> {
    let question = target.subject.request().ok_or(FetchError::Question)?;
    let request = Request::post(&target.url)
        .header(header::CONTENT_TYPE, "application/ocsp-request")
        .header(header::ACCEPT, "application/ocsp-response")
        .header(header::CONTENT_LENGTH, question.len())
        .body(Bytes::from(question))
        .map_err(|_| OutboundError::Url)?;
    let (status, body) = outbound.exchange(request, TIMEOUT, BYTES_MAX).await?;
    if status != StatusCode::OK {
        return Err(FetchError::Status(status));
    }
    let provider = tls::provider();
    let validity = target.subject.judge(&body, SystemTime::now(), &provider)?;
    Ok(Staple {
        response: body.as_ref().into(),
        validity,
    })
}

/// Half of what is left.
fn until_next(validity: Validity, now: SystemTime) -> Duration {
    let left = validity.next_update.duration_since(now).unwrap_or_default();
    (left / 2).clamp(LEAST, MOST)
}

fn after_failure(before: u32) -> Duration {
    (RETRY * (1 << before.min(10))).min(RETRY_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_replaced_half_way_through() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000);
        let wait = |left: u64| {
            let validity = Validity {
                this_update: now - Duration::from_secs(60),
                next_update: now + Duration::from_secs(left),
            };
            until_next(validity, now).as_secs()
        };
        assert_eq!([0, 4, 60, 3600].map(wait), [10, 10, 30, 1800]);
        assert_eq!(wait(7 * 24 * 60 * 60), 12 * 60 * 60);
    }

    #[test]
    fn who_fails_is_asked_less_and_less() {
        let waits = [0, 1, 2, 8, 9, u32::MAX].map(|before| after_failure(before).as_secs());
        assert_eq!(waits, [10, 20, 40, 2560, 3600, 3600]);
    }
}
