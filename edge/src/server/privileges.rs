//! Giving up privileges for good once everything that needs them is open.
//!
//! The order of a start, all on the main thread and before any other thread exists, because Linux
//! keeps capabilities per thread:
//!
//! 1. start the [`keeper`](super::keeper), which keeps what a reload needs;
//!    read the configuration, certificates and keys; open the access log; bind every socket, the
//!    metrics page and the admin socket; load and attach the shield;
//! 2. [`Account::wanted`], and give the admin socket to it;
//! 3. [`drop_for_good`];
//! 4. start the control thread, the log writer and the workers.
//!
//! Afterwards nothing is left to use: no capability, no way to gain one by executing a file, no
//! core dump with keys in it, no debugger of the same account. Updating the kernel maps goes
//! through descriptors that are open already, which needs no capability since Linux 5.19.

use std::ffi::CString;
use std::fs;
use std::io;

use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgid, setuid};

/// The account that a process started as root becomes when none is configured.
const DEFAULT_USER: &str = "nobody";

/// Why privileges cannot be given up.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// The configured account does not exist.
    #[error("no such account: user = \"{name}\"")]
    NoSuchUser {
        /// The configured name.
        name: String,
    },
    /// Threads keep the privileges they were started with.
    #[error("privileges must be dropped before threads are started; there are {threads}")]
    Threads {
        /// How many there are.
        threads: usize,
    },
    /// It was done, and yet the process can become root again.
    #[error("the process can still become root after giving that up")]
    StillRoot,
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// What it said.
        source: io::Error,
    },
}

/// The account that the process is about to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// The account for `user` of the configuration; `None` when not started as root, because then
    /// the process stays what it is.
    pub fn wanted(user: Option<&str>) -> Result<Option<Account>, PrivilegeError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let name = user.unwrap_or(DEFAULT_USER).to_owned();
        let found = User::from_name(&name).map_err(refused("look up the account"))?;
        match found {
            Some(user) => Ok(Some(Account {
                name,
                uid: user.uid,
                gid: user.gid,
            })),
            None => Err(PrivilegeError::NoSuchUser { name }),
        }
    }

    /// Its number.
    pub fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// The number of its first group.
    pub fn gid(&self) -> u32 {
        self.gid.as_raw()
    }
}

/// Becomes `account` if there is one, and gives up everything else there is to give up.
///
/// Raises the limit of open descriptors to what the system allows, and forbids core dumps. The
/// account's own supplementary groups are kept: upstream sockets may be open to a group only.
pub fn drop_for_good(account: Option<&Account>) -> Result<(), PrivilegeError> {
    refuse_threads()?;
    give_up(account)
}

/// Keeps these capabilities, as far as there are any, and gives up everything else for good. For a
/// process that does not serve: it stays the account that it is.
pub fn keep_only(kept: &[Capability]) -> Result<(), PrivilegeError> {
    refuse_threads()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(refused("forbid core dumps"))?;
    if has(CapSet::Effective, Capability::CAP_SETPCAP)? {
        clear(CapSet::Bounding, "clear the capability bounding set")?;
    }
    let mut keep = CapsHashSet::new();
    for &capability in kept {
        if has(CapSet::Permitted, capability)? {
            keep.insert(capability);
        }
    }
    clear(CapSet::Ambient, "clear the ambient capabilities")?;
    clear(CapSet::Inheritable, "clear the inheritable capabilities")?;
    set(
        CapSet::Effective,
        &keep,
        "reduce the effective capabilities",
    )?;
    set(
        CapSet::Permitted,
        &keep,
        "reduce the permitted capabilities",
    )?;
    prctl::set_no_new_privs().map_err(refused("set no_new_privs"))?;
    prctl::set_dumpable(false).map_err(refused("clear the dumpable flag"))
}

fn give_up(account: Option<&Account>) -> Result<(), PrivilegeError> {
    raise_descriptors()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(refused("forbid core dumps"))?;
    // While there is still a capability that allows it.
    if has(CapSet::Effective, Capability::CAP_SETPCAP)? {
        clear(CapSet::Bounding, "clear the capability bounding set")?;
    }
    if let Some(account) = account {
        account.become_it()?;
    }
    clear(CapSet::Ambient, "clear the ambient capabilities")?;
    clear(CapSet::Effective, "clear the effective capabilities")?;
    clear(CapSet::Inheritable, "clear the inheritable capabilities")?;
    clear(CapSet::Permitted, "clear the permitted capabilities")?;
    prctl::set_no_new_privs().map_err(refused("set no_new_privs"))?;
    prctl::set_dumpable(false).map_err(refused("clear the dumpable flag"))
}

impl Account {
    fn become_it(&self) -> Result<(), PrivilegeError> {
        let name = CString::new(&*self.name).expect("an account was found by this name");
        initgroups(&name, self.gid).map_err(refused("set the supplementary groups"))?;
        setgid(self.gid).map_err(refused("change the group"))?;
        setuid(self.uid).map_err(refused("change the user"))?;
        if !self.uid.is_root() && setuid(Uid::from_raw(0)).is_ok() {
            return Err(PrivilegeError::StillRoot);
        }
        Ok(())
    }
}

fn refuse_threads() -> Result<(), PrivilegeError> {
    let source = |source| PrivilegeError::Refused {
        action: "count the threads",
        source,
    };
    let threads = fs::read_dir("/proc/self/task").map_err(source)?.count();
    if threads == 1 {
        Ok(())
    } else {
        Err(PrivilegeError::Threads { threads })
    }
}

fn raise_descriptors() -> Result<(), PrivilegeError> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(refused("read a limit"))?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        .map_err(refused("raise the limit of open descriptors"))
}

fn has(set: CapSet, capability: Capability) -> Result<bool, PrivilegeError> {
    caps::has_cap(None, set, capability).map_err(|error| PrivilegeError::Refused {
        action: "read the capabilities",
        source: io::Error::other(error),
    })
}

fn set(
    set: CapSet,
    capabilities: &CapsHashSet,
    action: &'static str,
) -> Result<(), PrivilegeError> {
    caps::set(None, set, capabilities).map_err(|error| PrivilegeError::Refused {
        action,
        source: io::Error::other(error),
    })
}

fn clear(set: CapSet, action: &'static str) -> Result<(), PrivilegeError> {
    caps::clear(None, set).map_err(|error| PrivilegeError::Refused {
        action,
        source: io::Error::other(error),
    })
}

fn refused(action: &'static str) -> impl Fn(Errno) -> PrivilegeError {
    move |errno| PrivilegeError::Refused {
        action,
        source: errno.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;
    use std::process::Command;

    /// Runs `body` in a process of its own, which it may change for good: the calling test is
    /// started once more, alone, and told so.
    fn in_child(test: &str, body: impl FnOnce()) {
        const IN_CHILD: &str = "EDGE_TEST_PRIVILEGES_CHILD";
        if env::var_os(IN_CHILD).is_some() {
            return body();
        }
        let (_, module) = module_path!().split_once("::").expect("a crate");
        let output = Command::new(env::current_exe().expect("a test program"))
            .args(["--exact", &format!("{module}::{test}"), "--nocapture"])
            .env(IN_CHILD, "1")
            .output()
            .expect("the test program starts");
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8_lossy(&all);
        assert!(output.status.success() && all.contains("1 passed"), "{all}");
    }

    fn is_root() -> bool {
        let is_root = geteuid().is_root();
        if !is_root {
            eprintln!("skipped: needs root");
        }
        is_root
    }

    /// A line of this thread's `status`.
    fn status(key: &str) -> String {
        let status = fs::read_to_string("/proc/thread-self/status").expect("procfs");
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.expect(key).trim_start_matches(':').trim().to_owned()
    }

    fn assert_harmless() {
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(status(set), "0000000000000000", "{set}");
        }
        assert_eq!(status("NoNewPrivs"), "1");
        assert!(!prctl::get_dumpable().expect("it can be read"));
        assert_eq!(getrlimit(Resource::RLIMIT_CORE), Ok((0, 0)));
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("it can be read");
        assert_eq!(soft, hard);
    }

    #[test]
    fn root_becomes_the_account_and_stays_it() {
        if !is_root() {
            return;
        }
        in_child("root_becomes_the_account_and_stays_it", || {
            setrlimit(Resource::RLIMIT_NOFILE, 64, 256).expect("limits can be lowered");
            let account = Account::wanted(None).expect("nobody exists");
            let account = account.expect("we are root");
            // Not `drop_for_good`: the test program has a thread of its own.
            give_up(Some(&account)).expect("root may give up everything");
            assert_harmless();
            assert_eq!(status("CapBnd"), "0000000000000000");
            let id = |id: u32| format!("{id}\t{id}\t{id}\t{id}");
            assert_eq!(status("Uid"), id(account.uid()));
            assert_eq!(status("Gid"), id(account.gid()));
            assert_eq!(status("Groups"), account.gid().to_string());
            assert!(setuid(Uid::from_raw(0)).is_err());
            assert!(fs::read("/etc/shadow").is_err());
            // What the control plane does afterwards still works.
            assert!(fs::read_dir("/proc/self/fd").is_ok());
            let inherited = std::thread::spawn(assert_harmless).join();
            assert!(inherited.is_ok(), "threads inherit it");
        });
    }

    #[test]
    fn others_stay_who_they_are_and_keep_nothing() {
        in_child("others_stay_who_they_are_and_keep_nothing", || {
            if geteuid().is_root() {
                setgid(Gid::from_raw(65_534)).expect("root may");
                setuid(Uid::from_raw(65_534)).expect("root may");
            }
            let before = status("Uid");
            let account = Account::wanted(Some("edge-nonesuch")).expect("not even looked up");
            assert_eq!(account, None);
            give_up(None).expect("everybody may give up what they have");
            assert_harmless();
            assert_eq!(status("Uid"), before);
        });
    }

    #[test]
    fn an_unknown_user_is_named() {
        if !is_root() {
            return;
        }
        let error = Account::wanted(Some("edge-nonesuch")).expect_err("there is none");
        assert_eq!(
            error.to_string(),
            "no such account: user = \"edge-nonesuch\""
        );
    }

    #[test]
    fn threads_are_refused() {
        let error = std::thread::spawn(|| drop_for_good(None))
            .join()
            .expect("no panic")
            .expect_err("there are two threads at least");
        assert!(matches!(error, PrivilegeError::Threads { .. }), "{error}");
    }
}
