//! The task itself: look for everything first, install what is missing in one go, look again.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::repo::Repo;
use crate::setup::core_source::{self, CoreSource};
use crate::setup::need::{Group, needs};
use crate::setup::{apt, bpf_clippy, linker, node, python};

/// Find or install what edge is built, run and tested with.
///
/// Says what it looks for, why, and what it does about it. Takes seconds when nothing is missing.
/// As root on Debian it installs packages with apt-get; elsewhere it names what has to be
/// installed and stops. Programs written in Rust go to cargo's directory of this account.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Also what the tests and measurements need: peers, and the official MCP SDKs for Python
    #[arg(long)]
    tests: bool,
}

/// Runs the task and reports every need.
pub(crate) fn setup(repo: &Repo, options: &Options) -> Result<()> {
    let group = if options.tests {
        Group::Tests
    } else {
        Group::Build
    };
    let started = Instant::now();
    look_and_install(repo, group, &mut |line| println!("{line}"))?;
    println!(
        "everything needed is there ({:.1} s)",
        started.elapsed().as_secs_f32()
    );
    Ok(())
}

/// The same for tasks that need it done: silent when nothing is missing.
pub(crate) fn ensure(repo: &Repo, group: Group) -> Result<()> {
    look_and_install(repo, group, &mut |line| {
        if !line.starts_with(FOUND) {
            eprintln!("{line}");
        }
    })
}

const FOUND: &str = "found   ";
const MISSING: &str = "missing ";

fn look_and_install(repo: &Repo, group: Group, report: &mut dyn FnMut(String)) -> Result<()> {
    let mut say = |found: bool, name: &str, why: &str| {
        report(format!(
            "{} {name:<12} {why}",
            if found { FOUND } else { MISSING }
        ));
        found
    };
    let mut packages: Vec<&str> = Vec::new();
    for need in needs(group) {
        if !say(need.is_met(), need.name, need.why) {
            packages.extend(need.packages);
        }
    }

    let core = CoreSource::find();
    let kind = core.as_ref().map_or(
        "nightly with rust-src, or Debian's rustc",
        CoreSource::shown,
    );
    say(
        core.is_some(),
        "core source",
        &format!("compiled into the kernel programs: {kind}"),
    );
    if core.is_none() && apt::is_here() {
        packages.extend(core_source::PACKAGES);
    }

    let clippy = group != Group::Tests || core.as_ref().is_some_and(bpf_clippy::is_here);
    if group == Group::Tests {
        say(
            clippy,
            "bpf clippy",
            "looks through the source of the kernel programs",
        );
    }
    if !clippy && !matches!(core, Some(CoreSource::Nightly)) && apt::is_here() {
        packages.push(bpf_clippy::PACKAGE);
    }

    let linker = linker::is_here();
    say(linker, "bpf-linker", "links the kernel programs");
    if !linker && apt::is_here() {
        packages.extend(linker::missing_packages());
    }

    apt::install(&packages)?;
    if core.is_none() && !apt::is_here() {
        core_source::install_nightly()?;
    }
    if !clippy && matches!(CoreSource::find(), Some(CoreSource::Nightly)) {
        bpf_clippy::install_for_nightly()?;
    }
    if !linker {
        linker::install(repo.root())?;
    }
    look_again(group)?;

    if group == Group::Tests {
        for name in python::ENVIRONMENTS {
            let why = "Python environment with peers of the tests, such as an official MCP SDK";
            if !say(python::is_current(repo, name), &format!("venv {name}"), why) {
                python::make(repo, name)?;
            }
        }
        let why = "peers written for Node: an authorization server, the TypeScript SDK";
        if !say(node::is_current(repo), "npm packages", why) {
            node::make(repo)?;
        }
    }
    Ok(())
}

/// Fails when something is still missing after everything was installed.
fn look_again(group: Group) -> Result<()> {
    if let Some(need) = needs(group).find(|need| !need.is_met()) {
        bail!(
            "{} is still missing after {} was installed",
            need.name,
            need.packages.join(" ")
        );
    }
    if CoreSource::find().is_none() {
        bail!("neither rustup's nightly nor Debian's rustc has the source of Rust's core library");
    }
    if !linker::is_here() {
        bail!("bpf-linker was installed but does not start; is cargo's bin directory in PATH?");
    }
    Ok(())
}
