//! The keys of session tickets: shared by workers and reloads, new every six hours, good for one more turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{Answer, Edge, Process, Setup, Upstream, light};

const HOUR: i64 = 60 * 60;
/// Enough that both workers are met.
const TRIES: usize = 8;

/// The program that sets the calendar of another one ahead.
pub(crate) fn later(dir: &Path) -> PathBuf {
    let library = dir.join("later.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/later.c");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-O1", "-o"]);
    command.arg(&library).arg(source);
    let (code, _, stderr) = Process::run("cc", command, Duration::from_secs(30));
    assert_eq!(code, 0, "{stderr}");
    library
}

/// One connection of one request; `session` is taken up if it is there, and what is given is put in `new`.
fn connects(edge: &Edge, version: &str, session: Option<&Path>, new: Option<&Path>) -> bool {
    let mut script = format!(
        "(printf 'GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n'; sleep 0.3) | \
         openssl s_client {version} -connect {} -servername localhost -CAfile {}",
        edge.https,
        edge.file("ca.pem").display(),
    );
    for (option, file) in [(" -sess_in ", session), (" -sess_out ", new)] {
        if let Some(file) = file {
            script += option;
            script += &file.display().to_string();
        }
    }
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let (_, stdout, stderr) = Process::run("openssl", command, Duration::from_secs(10));
    assert!(stdout.contains("HTTP/1.1 200"), "{stdout}{stderr}");
    let reused = stdout.contains("Reused, TLSv1.");
    assert!(reused || stdout.contains("New, TLSv1."), "{stdout}");
    reused
}

#[test]
fn their_keys_are_shared_and_change_with_time() {
    let _machine = light();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
    let upstream = Upstream::start(Answer::Keep(answer));
    let setup = Setup::new(upstream.address).top("workers = 2");
    let file = |name: &str| setup.dir.path().join(name);
    let (library, clock) = (later(setup.dir.path()), file("later"));
    let (first, second) = (file("first.pem"), file("second.pem"));
    let is = |ahead: i64| fs::write(&clock, ahead.to_ne_bytes()).expect("our own directory");
    is(0);
    let mut command = setup.command();
    command.env("LD_PRELOAD", library).env("EDGE_LATER", &clock);
    let edge = setup.start_as(command);

    for (turn, version) in [(0, "-tls1_3"), (2, "-tls1_2")] {
        let start = turn * 7 * HOUR;
        is(start);
        // Whatever is asked first may be what makes the keys change.
        connects(&edge, version, None, None);
        assert!(!connects(&edge, version, None, Some(&first)));
        for attempt in 0..TRIES {
            assert!(
                connects(&edge, version, Some(&first), None),
                "{version} {attempt}"
            );
            if attempt == TRIES / 2 {
                edge.reload();
            }
        }

        is(start + 7 * HOUR);
        assert!(!connects(&edge, version, None, Some(&second)));
        assert!(
            connects(&edge, version, Some(&first), None),
            "{version}: a key that is no longer used is still known"
        );
        is(start + 14 * HOUR);
        assert!(
            connects(&edge, version, Some(&second), None),
            "{version}: of the keys before"
        );
        assert!(
            !connects(&edge, version, Some(&first), None),
            "{version}: its key is forgotten"
        );
        assert!(connects(&edge, version, Some(&second), None), "{version}");
    }
}
