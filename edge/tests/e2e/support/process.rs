//! A child process whose output is collected, whose waits are bounded and which never outlives its test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::system::wait_until;

/// A running program. Dropping it kills it.
pub(crate) struct Process {
    name: String,
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `command`; its output is kept for failure messages.
    pub(crate) fn start(name: &str, mut command: Command) -> Process {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = Arc::default();
        let stderr = Arc::default();
        let readers = vec![
            collect(
                child.stdout.take().expect("stdout is piped"),
                Arc::clone(&stdout),
            ),
            collect(
                child.stderr.take().expect("stderr is piped"),
                Arc::clone(&stderr),
            ),
        ];
        Process {
            name: name.to_owned(),
            child,
            stdout,
            stderr,
            readers,
        }
    }

    /// Starts `command`, waits for its end within `limit` and returns exit code, stdout and stderr.
    pub(crate) fn run(name: &str, command: Command, limit: Duration) -> (i32, String, String) {
        Process::start(name, command).finish(limit)
    }

    /// Waits for its end within `limit` and returns exit code, stdout and stderr.
    pub(crate) fn finish(&mut self, limit: Duration) -> (i32, String, String) {
        let status = self.wait(limit);
        for reader in self.readers.drain(..) {
            reader.join().expect("output readers do not panic");
        }
        (status.code().unwrap_or(-1), self.stdout(), self.stderr())
    }

    /// Waits until `text` stands in the output; fails with all output after `limit` or at exit.
    pub(crate) fn wait_for(&mut self, text: &str, limit: Duration) {
        let found = wait_until(limit, || {
            let seen = self.stderr().contains(text) || self.stdout().contains(text);
            seen || self
                .child
                .try_wait()
                .expect("a child can be waited for")
                .is_some()
        });
        let seen = self.stderr().contains(text) || self.stdout().contains(text);
        assert!(
            found && seen,
            "{} did not say {text:?} within {limit:?}\n{}",
            self.name,
            self.output()
        );
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("process ids are positive i32");
        kill(Pid::from_raw(pid), signal)
            .unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.name));
    }

    /// Waits for the exit within `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut status = None;
        wait_until(limit, || {
            status = self.child.try_wait().expect("a child can be waited for");
            status.is_some()
        });
        status.unwrap_or_else(|| {
            panic!(
                "{} still runs after {limit:?}\n{}",
                self.name,
                self.output()
            )
        })
    }

    /// Whether it has not exited yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be waited for")
            .is_none()
    }

    /// What it has written to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout
            .lock()
            .expect("output readers do not panic")
            .clone()
    }

    /// What it has written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr
            .lock()
            .expect("output readers do not panic")
            .clone()
    }

    /// Both outputs, for failure messages.
    pub(crate) fn output(&self) -> String {
        format!(
            "--- {} stdout\n{}--- {} stderr\n{}",
            self.name,
            self.stdout(),
            self.name,
            self.stderr()
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies lines into `into` until the pipe closes.
fn collect(pipe: impl Read + Send + 'static, into: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            into.lock()
                .expect("nothing panics while holding it")
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}
