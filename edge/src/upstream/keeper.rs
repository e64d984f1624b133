//! The thread that looks after servers: asks whether they are well, looks names up again. Nothing of
//! it runs on a worker, for both block.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::{JoinSet, spawn_blocking};

use super::check::{CheckError, Manner, ask};
use super::fleet::{Fleet, Member, Roster};
use super::health::Change;
use crate::clock::monotonic_ns;
use crate::config::Check;

/// Checks and look-ups under way at once.
const THREADS_MAX: usize = 16;
/// How soon the thread notices that its fleet is gone.
const NAP: Duration = Duration::from_secs(1);
/// How often a name is looked up that has no address yet.
const IMPATIENT: Duration = Duration::from_secs(2);

impl Fleet {
    /// Starts to look after the servers instead of `previous`, if there is anything to do, until the
    /// next one does or the fleet is dropped. After the privileges are gone: a thread keeps those it
    /// was started with.
    pub fn look_after(self: &Arc<Fleet>, previous: Option<&Fleet>) {
        if let Some(previous) = previous {
            previous.retire();
        }
        let mut jobs = Vec::new();
        for (index, roster) in self.rosters().iter().enumerate() {
            if roster.settings.check.is_some() {
                jobs.push((index, Job::Check));
            }
            if roster.settings.resolve.is_some() && roster.has_names() {
                jobs.push((index, Job::Resolve));
            }
        }
        if jobs.is_empty() {
            return;
        }
        let fleet = Arc::downgrade(self);
        let started = thread::Builder::new()
            .name("upstreams".into())
            .spawn(move || run(&fleet, jobs));
        if let Err(error) = started {
            tracing::error!(%error, "servers are not checked and names not looked up again");
        }
    }
}

#[derive(Clone, Copy)]
enum Job {
    Check,
    Resolve,
}

fn run(fleet: &Weak<Fleet>, jobs: Vec<(usize, Job)>) {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(THREADS_MAX)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "servers are not checked and names not looked up again");
            return;
        }
    };
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for (index, job) in jobs {
            tasks.spawn(repeat(fleet.clone(), index, job));
        }
        while tasks.join_next().await.is_some() {}
    });
    // A check that hangs in connect must not hold up the end.
    runtime.shutdown_background();
}

async fn repeat(fleet: Weak<Fleet>, index: usize, job: Job) {
    loop {
        let Some(roster) = roster(&fleet, index) else {
            return;
        };
        let settings = &roster.settings;
        let pause = match (job, &settings.check, settings.resolve) {
            (Job::Check, Some(check), _) => {
                check_all(&roster, check).await;
                check.interval
            }
            // The names were looked up when the file was read.
            (Job::Resolve, _, Some(interval)) if roster.is_waiting() => interval.min(IMPATIENT),
            (Job::Resolve, _, Some(interval)) => interval,
            _ => return,
        };
        drop(roster);
        if !nap(&fleet, pause).await {
            return;
        }
        if let (Job::Resolve, Some(roster)) = (job, self::roster(&fleet, index)) {
            // A panic in it would have been reported; the next round tries again.
            let _ = spawn_blocking(move || roster.resolve()).await;
        }
    }
}

fn roster(fleet: &Weak<Fleet>, index: usize) -> Option<Arc<Roster>> {
    let fleet = fleet.upgrade().filter(|fleet| !fleet.is_retired())?;
    Some(Arc::clone(&fleet.rosters()[index]))
}

/// Waits; `false` if the fleet has gone meanwhile.
async fn nap(fleet: &Weak<Fleet>, time: Duration) -> bool {
    let mut left = time;
    while !left.is_zero() {
        let step = left.min(NAP);
        tokio::time::sleep(step).await;
        left -= step;
        if fleet.upgrade().is_none_or(|fleet| fleet.is_retired()) {
            return false;
        }
    }
    true
}

/// Asks every server at once and waits for all answers.
async fn check_all(roster: &Arc<Roster>, check: &Check) {
    let mut asked = JoinSet::new();
    for member in roster.members() {
        let (check, roster) = (check.clone(), Arc::clone(roster));
        asked.spawn_blocking(move || check_one(&member, &check, &roster));
    }
    while asked.join_next().await.is_some() {}
}

fn check_one(member: &Member, check: &Check, roster: &Roster) {
    let upstream = &*roster.settings.name;
    let tls = roster.tls.as_ref().zip(member.server_name.as_ref());
    let manner = Manner {
        tls,
        http2: roster.settings.protocol.is_h2(),
        proxy_protocol: roster.settings.proxy_protocol,
    };
    let outcome = match (&roster.settings.tls, tls) {
        (Some(_), None) => Err(CheckError::Unprepared),
        _ => ask(&member.addr, manner, check),
    };
    let change = member
        .health
        .checked(outcome.is_ok(), check, monotonic_ns());
    let server = member.addr.to_string();
    match (change, outcome) {
        (Some(Change::Up), _) => tracing::info!(upstream, server, "a server is back"),
        (Some(Change::Down), Err(error)) => {
            tracing::warn!(upstream, server, %error, "a server is down");
        }
        _ => {}
    }
}
