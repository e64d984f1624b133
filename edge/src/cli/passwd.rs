//! `edge passwd`.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use super::failure::Failure;
use super::output;
use crate::auth::{hash_password, with_user, without_user};

/// What a file of users may hold, as when it is served.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Nobody types more.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Set, change or delete a password of basic_auth
///
/// Writes a line `NAME:HASH` (Argon2id) into a file of users, which is made if it is not there, for
/// its owner alone. The password is asked for at the terminal, without being shown, or is the first
/// line of the standard input; never an argument, which others could see. An edge that runs takes
/// the changed file over within seconds.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge passwd /etc/edge/users ann
  pwgen 24 1 | edge passwd /etc/edge/users robot
  edge passwd --delete /etc/edge/users ann")]
pub(super) struct Passwd {
    /// Delete the user
    #[arg(long)]
    delete: bool,
    /// The file, as `file` of [host.basic_auth] names it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The user
    #[arg(value_name = "NAME")]
    name: String,
}

impl Passwd {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Passwd { delete, file, name } = self;
        let wrong = |error: crate::auth::UserLineError| Failure::Configuration(error.to_string());
        let before = read(&file)?;
        let (text, done) = match delete {
            true => (without_user(&before, &name).map_err(wrong)?, "deleted"),
            false => {
                // A name that does not do is said before anybody types.
                with_user("", &name, "").map_err(wrong)?;
                let hash = hash_password(&password()?).map_err(wrong)?;
                (with_user(&before, &name, &hash).map_err(wrong)?, "set")
            }
        };
        let shown = file.display();
        write(&file, &text).with_context(|| format!("{shown} cannot be written"))?;
        output::result(&format!("{shown}: {name} {done}"));
        Ok(())
    }
}

/// The file as it is; nothing where there is none.
fn read(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => {
            return Err(anyhow!(error)
                .context(format!("{shown} cannot be read"))
                .into());
        }
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("{shown} cannot be read"))?;
    match text.len() as u64 > FILE_BYTES_MAX {
        true => Err(anyhow!("{shown} is larger than 4MiB: is it the right file?").into()),
        false => Ok(text),
    }
}

/// Another file in its place, at once: whoever reads it sees the one or the other. Owner and mode
/// stay; a new one is its owner's alone.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    // A link stays one.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().filter(|parent| *parent != Path::new(""));
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    if let Ok(before) = path.metadata() {
        fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
        file.as_file().set_permissions(before.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

fn password() -> Result<Vec<u8>, Failure> {
    let stdin = io::stdin();
    let password = match stdin.is_terminal() {
        true => {
            let quiet = Quiet::begin()?;
            let first = line("Password: ")?;
            let second = line("\nOnce more: ")?;
            drop(quiet);
            let _ = writeln!(io::stderr());
            if first != second {
                return Err(anyhow!("the two are not the same, nothing was changed").into());
            }
            first
        }
        false => line("")?,
    };
    match password.is_empty() {
        true => Err(anyhow!("the password is empty, nothing was changed").into()),
        false => Ok(password),
    }
}

/// The next line of the standard input, without its end.
fn line(prompt: &str) -> anyhow::Result<Vec<u8>> {
    let _ = write!(io::stderr(), "{prompt}");
    let mut line = Vec::new();
    io::stdin()
        .lock()
        .take(PASSWORD_BYTES_MAX + 2)
        .read_until(b'\n', &mut line)?;
    while line
        .last()
        .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
    {
        line.pop();
    }
    anyhow::ensure!(
        line.len() as u64 <= PASSWORD_BYTES_MAX,
        "a password of more than {PASSWORD_BYTES_MAX} bytes is a mistake"
    );
    Ok(line)
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> anyhow::Result<Quiet> {
        let stdin = io::stdin();
        let before = tcgetattr(stdin.as_fd())?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(stdin.as_fd(), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Quiet(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSAFLUSH, &self.0);
    }
}
