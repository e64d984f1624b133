//! Running other programs: found also where only root looks, shown before they run, and named in
//! the error when they fail.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The directories programs are looked for in: `PATH`, cargo's own, and the administrator's, which
/// Debian leaves out of other accounts' `PATH`.
fn path() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default();
    let cargo = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
        .map(|home| home.join("bin"));
    let administrator = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    for directory in cargo.into_iter().chain(administrator) {
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    directories
}

/// Finds a program by name.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    path()
        .into_iter()
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// A command that finds its program, and the programs that one starts, in all of those directories.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    // What does not join holds a colon and cannot be searched by anyone.
    command.env(
        "PATH",
        env::join_paths(path()).unwrap_or_else(|_| OsString::from("/usr/bin:/bin")),
    );
    command
}

/// `cargo`, the one that runs this program, at the root of the source tree.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Shows a command, runs it, and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("  $ {}", shown(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs a command without showing it; its standard output without the last line break. The error
/// holds what it wrote to standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{}` failed ({}): {}",
            shown(command),
            output.status,
            said.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

/// A command the way a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(|word| quoted(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// One word of a shell command.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%[]".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_commands_can_be_pasted() {
        let mut command = Command::new("/usr/bin/openssl");
        command.args(["req", "-subj", "/CN=a b", "", "it's"]);
        assert_eq!(shown(&command), r"openssl req -subj '/CN=a b' '' 'it'\''s'");
    }

    #[test]
    fn finds_what_only_root_has_in_its_path() {
        assert!(path().contains(&PathBuf::from("/usr/sbin")));
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
