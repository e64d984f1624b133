//! A second look at tests that failed beside others.
//!
//! The end-to-end tests share two cores with each other and with the peers they start, so one that is
//! starved may fail where nothing is wrong. Such a test runs once more by itself. When it passes the
//! step passes and the summary names the test, so that nobody mistakes it for a sound one.

use std::io::{BufRead, BufReader, Read};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// More failures than this are no accident of scheduling and are not looked at again.
pub(super) const AT_MOST: usize = 3;

/// What the reader of the output has to see its end, once the command has ended.
const GRACE: Duration = Duration::from_secs(2);

/// Passes the output of a command on and notes the tests that failed.
#[derive(Debug)]
pub(super) struct Watch {
    failed: Arc<Mutex<Vec<String>>>,
    reader: thread::JoinHandle<()>,
}

impl Watch {
    /// Starts to read `output`.
    pub(super) fn start(output: impl Read + Send + 'static) -> Self {
        let failed = Arc::new(Mutex::new(Vec::new()));
        let notes = failed.clone();
        let reader = thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line);
                print!("{text}");
                if let Some(name) = failed_test(&text) {
                    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
                    notes.push(name.to_owned());
                }
                line.clear();
            }
        });
        Self { failed, reader }
    }

    /// The tests that failed, once the command has ended. What it left running may keep the output
    /// open: that is not waited for.
    pub(super) fn failed(self) -> Vec<String> {
        let patience = Instant::now() + GRACE;
        while !self.reader.is_finished() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(10));
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut failed)
    }
}

/// The name in a line of libtest's about a test that failed.
fn failed_test(line: &str) -> Option<&str> {
    line.trim_end()
        .strip_prefix("test ")?
        .strip_suffix(" ... FAILED")
}

/// `command`, a `cargo test` with arguments for the tests, for `tests` alone and one at a time.
pub(super) fn alone(command: &Command, tests: &[String]) -> Command {
    let mut alone = Command::new(command.get_program());
    alone.args(command.get_args()).arg("--exact").args(tests);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => alone.env(name, value),
            None => alone.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        alone.current_dir(directory);
    }
    alone.env("RUST_TEST_THREADS", "1");
    alone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_noted_by_name() {
        let output = "running 2 tests\ntest a::works ... ok\ntest b::fails ... FAILED\n\n\
                      failures:\n    b::fails\n\ntest result: FAILED. 1 passed; 1 failed\n";
        let watch = Watch::start(output.as_bytes());
        assert_eq!(watch.failed(), ["b::fails"]);
    }

    #[test]
    fn a_second_look_runs_them_alone() {
        let mut command = Command::new("cargo");
        command.args(["test", "--"]).env("A", "b").current_dir("/");
        let alone = alone(&command, &["b::fails".to_owned()]);
        let arguments: Vec<_> = alone.get_args().collect();
        assert_eq!(arguments, ["test", "--", "--exact", "b::fails"]);
        assert_eq!(alone.get_envs().count(), 2);
        assert_eq!(alone.get_current_dir(), command.get_current_dir());
    }
}
