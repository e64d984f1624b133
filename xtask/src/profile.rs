//! How often each branch of `edge` is taken, in `edge/profile`: a release is laid out by it, so that
//! what runs for every request lies together and is inlined, and what is rare lies elsewhere.
//!
//! Counts are found by the names of functions, which hold a number made of the compiler, the machine
//! and all dependencies. Where one of them is another the counts would say nothing, and the release is
//! compiled without. `cargo xtask train` records them anew.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::shell;

/// What counts belong to: what is written beside them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    /// Of a release that is compiled here and now.
    pub(crate) fn here(repo: &Repo) -> Result<Self> {
        let mut rustc = shell::command("rustc");
        let said = shell::output(rustc.current_dir(repo.root()).arg("-vV"))?;
        let line = |name: &str| {
            said.lines()
                .find_map(|line| line.strip_prefix(name))
                .with_context(|| format!("`rustc -vV` does not say its {name}"))
        };
        let mut dependencies = DefaultHasher::new();
        for file in ["Cargo.lock", "Cargo.toml", "edge/Cargo.toml"] {
            let path = repo.root().join(file);
            fs::read(&path)
                .with_context(|| format!("cannot read {}", path.display()))?
                .hash(&mut dependencies);
        }
        Ok(Self(format!(
            "# What edge.profdata was recorded with; `cargo xtask train` writes both.\n\
             rustc = \"{}\"\nhost = \"{}\"\ndependencies = \"{:016x}\"\n",
            line("release: ")?,
            line("host: ")?,
            dependencies.finish()
        )))
    }

    /// Of the counts in the source tree; `None` where there are none.
    fn kept(root: &Path) -> Option<Self> {
        fs::read_to_string(origin(root)).ok().map(Self)
    }

    /// Writes it beside the counts.
    pub(crate) fn keep(&self, root: &Path) -> Result<()> {
        let path = origin(root);
        fs::write(&path, &self.0).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Why counts of `self` are of no use to a release that is compiled here.
    fn differs_from(&self, here: &Self) -> Option<String> {
        let kept: Vec<&str> = self.0.lines().collect();
        let other = here.0.lines().find(|line| !kept.contains(line))?;
        Some(format!("they are not of {other}"))
    }
}

/// The counts in the source tree.
pub(crate) fn counts(root: &Path) -> PathBuf {
    root.join("edge/profile/edge.profdata")
}

fn origin(root: &Path) -> PathBuf {
    root.join("edge/profile/origin.toml")
}

/// What cargo is told besides, so that a release is compiled with the counts; nothing, and a line that
/// says why, where they are of no use.
pub(crate) fn arguments(repo: &Repo) -> Result<Vec<String>> {
    let reason = match Origin::kept(repo.root()) {
        None => Some("there are none".to_owned()),
        Some(_) if own_flags() => Some("RUSTFLAGS is set, which replaces the flag".to_owned()),
        Some(kept) => kept.differs_from(&Origin::here(repo)?),
    };
    if let Some(reason) = reason {
        eprintln!(
            "  compiled without the counts of edge/profile: {reason}; `cargo xtask train` records \
             them, and makes a request about a tenth cheaper"
        );
        return Ok(Vec::new());
    }
    let counts = named_by_content(repo)?;
    Ok(flag(&format!("-Cprofile-use={}", counts.display())))
}

/// The arguments of cargo that hand a flag to the compiler.
pub(crate) fn flag(flag: &str) -> Vec<String> {
    // The strings of Rust are those of TOML.
    vec!["--config".to_owned(), format!("build.rustflags=[{flag:?}]")]
}

/// Whether the person at the keyboard has flags of their own, of which cargo takes no second set.
fn own_flags() -> bool {
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// A copy whose name changes with what is in it: cargo compiles again when the flag has changed, and
/// does not look into the file.
fn named_by_content(repo: &Repo) -> Result<PathBuf> {
    let counts = counts(repo.root());
    let bytes = fs::read(&counts).with_context(|| format!("cannot read {}", counts.display()))?;
    let mut number = DefaultHasher::new();
    bytes.hash(&mut number);
    let copy = repo
        .target()
        .join("profile")
        .join(format!("{:016x}.profdata", number.finish()));
    if !copy.is_file() {
        fs::create_dir_all(repo.target().join("profile"))?;
        fs::write(&copy, bytes).with_context(|| format!("cannot write {}", copy.display()))?;
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin_of(rustc: &str, host: &str, dependencies: &str) -> Origin {
        Origin(format!(
            "rustc = \"{rustc}\"\nhost = \"{host}\"\ndependencies = \"{dependencies}\"\n"
        ))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let root = tempfile::tempdir().expect("a directory");
        assert_eq!(Origin::kept(root.path()), None);
        fs::create_dir_all(root.path().join("edge/profile")).expect("directories");
        let kept = origin_of("1.95.0", "x86_64-unknown-linux-gnu", "00ff");
        kept.keep(root.path()).expect("written");
        assert_eq!(Origin::kept(root.path()), Some(kept));
    }

    #[test]
    fn counts_of_something_else_are_not_used() {
        let kept = origin_of("1.95.0", "x86_64", "1");
        assert_eq!(kept.differs_from(&origin_of("1.95.0", "x86_64", "1")), None);
        for (here, line) in [
            (origin_of("1.96.0", "x86_64", "1"), "rustc = \"1.96.0\""),
            (origin_of("1.95.0", "aarch64", "1"), "host = \"aarch64\""),
            (origin_of("1.95.0", "x86_64", "2"), "dependencies = \"2\""),
        ] {
            let reason = kept.differs_from(&here).expect("another");
            assert!(reason.contains(line), "{reason}");
        }
    }

    #[test]
    fn cargo_reads_the_flag() {
        let flag = flag("-Cprofile-use=/a b/\"c\".profdata");
        let table: toml::Table = toml::from_str(&flag[1]).expect("TOML");
        assert_eq!(
            table["build"]["rustflags"][0].as_str(),
            Some("-Cprofile-use=/a b/\"c\".profdata")
        );
    }
}
