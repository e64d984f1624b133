//! Passwords, compared with what is kept of them: slow by design, so never on a worker.
//!
//! A few threads take what workers hand them over a bounded queue. When it is full, or a client has
//! too much in it already, the answer is to come back later: guessing must not lock others out.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use tokio::sync::oneshot;

use crate::config::{Argon2id, PasswordHash};
use crate::limit::{ClientKey, Counts, Held};

/// Half of the machine, and no more of a large one: guessing is not to slow serving down.
const THREADS_MAX: usize = 4;
/// A second or two of work.
const QUEUE_MAX: usize = 32;
/// Of one client, in the queue and under way.
const PER_CLIENT_MAX: u32 = 4;

/// Too much is waiting already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// The threads that compare, for all workers; they end when it goes.
pub struct Passwords {
    jobs: SyncSender<Job>,
    waiting: Arc<Counts>,
}

struct Job {
    hash: PasswordHash,
    password: Box<[u8]>,
    done: oneshot::Sender<bool>,
    held: Held,
}

impl Passwords {
    /// Starts the threads.
    pub fn start() -> Passwords {
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let cpus = thread::available_parallelism().map_or(1, NonZero::get);
        for _ in 0..(cpus / 2).clamp(1, THREADS_MAX) {
            let queue = Arc::clone(&queue);
            let started = thread::Builder::new()
                .name("passwords".into())
                .spawn(move || work(&queue));
            if let Err(error) = started {
                tracing::error!(%error, "cannot start a thread that checks passwords");
            }
        }
        Passwords {
            jobs,
            waiting: Arc::new(Counts::new()),
        }
    }

    /// Compares a password with a hash. The answer comes later; none comes when it cannot be known.
    pub fn check(
        &self,
        client: ClientKey,
        hash: &PasswordHash,
        password: &[u8],
    ) -> Result<oneshot::Receiver<bool>, Busy> {
        let key = self.waiting.key(client);
        let held = self.waiting.hold(key, PER_CLIENT_MAX).map_err(|_| Busy)?;
        let (done, answer) = oneshot::channel();
        let job = Job {
            hash: hash.clone(),
            password: password.into(),
            done,
            held,
        };
        self.jobs.try_send(job).map_err(|_| Busy)?;
        Ok(answer)
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // Whoever asked may have gone.
        if !job.done.is_closed() {
            let is_right = is_right(&job.hash, &job.password);
            // Before the answer: whoever has it may ask again at once.
            drop(job.held);
            let _ = job.done.send(is_right);
        }
    }
}

/// Whether this is the password. Fails closed.
fn is_right(hash: &PasswordHash, password: &[u8]) -> bool {
    match hash {
        PasswordHash::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
        PasswordHash::Argon2id(hash) => argon2id(hash, password).unwrap_or(false),
    }
}

fn argon2id(hash: &Argon2id, password: &[u8]) -> Result<bool, argon2::Error> {
    let tag_bytes = Some(hash.tag.len());
    let params = Params::new(hash.memory_kib, hash.passes, hash.lanes, tag_bytes)?;
    let mut tag = vec![0; hash.tag.len()];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password, &hash.salt, &mut tag)?;
    Ok(verify_slices_are_equal(&tag, &hash.tag).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// The hash of a line as files have it.
    fn hash(text: &str) -> PasswordHash {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("users");
        std::fs::write(&file, format!("ann:{text}\n")).expect("written");
        let config = format!(
            "[[host]]\nnames = [\"*\"]\nbasic_auth = {{ file = {file:?} }}\n\
             [[host.route]]\nupstream = \"127.0.0.1:1\"\n"
        );
        let mut config = Config::parse(&config, "edge.toml".as_ref()).expect("valid");
        config.read_secrets(&crate::files::Disk).expect("readable");
        let basic = config.hosts[0].routes[0].auth.basic.clone().expect("there");
        basic.users.find("ann").expect("she is there").clone()
    }

    #[test]
    fn hashes_of_other_programs() {
        for (text, password) in [
            // `htpasswd -nbB -C 5 ann "correct horse"` of apache2-utils 2.4
            (HTPASSWD, "correct horse"),
            // From the test vectors of the reference implementation
            // (<https://github.com/P-H-C/phc-winner-argon2/blob/master/src/test.c>).
            (
                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
                "password",
            ),
        ] {
            let hash = hash(text);
            assert!(is_right(&hash, password.as_bytes()), "{text}");
            for wrong in ["", "Password", "correct hors", "password\0"] {
                assert!(!is_right(&hash, wrong.as_bytes()), "{wrong:?}");
            }
        }
    }

    const HTPASSWD: &str = "$2y$05$gG.71lHKTUEHEuCUjqefGuu9VPvpGZHOpWb2gnySgcS8320WmsCQy";

    #[test]
    fn what_waits_is_bounded_for_each_client_and_in_all() {
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        // Nobody works, so everything waits.
        let passwords = Passwords {
            jobs,
            waiting: Arc::new(Counts::new()),
        };
        let hash = hash(HTPASSWD);
        let client = |n: u8| ClientKey::from_ip([192, 0, 2, n].into(), 64);
        let ask = |n: u8| passwords.check(client(n), &hash, b"x").map(drop);
        let answers: Vec<_> = (0..PER_CLIENT_MAX + 1).map(|_| ask(0)).collect();
        assert_eq!(answers.last(), Some(&Err(Busy)));
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4);
        let others = (1..=QUEUE_MAX as u8).filter(|n| ask(*n).is_ok()).count();
        assert_eq!(others, QUEUE_MAX - 4, "the queue is full");
        drop(queue);
        assert_eq!(ask(0), Err(Busy), "and nobody will ever work");
    }
}
