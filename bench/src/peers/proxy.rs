//! The proxies by name: their configuration and their command line.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::identity::Identity;
use super::running::Running;
use crate::measure::Cpus;

/// A proxy to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proxy {
    /// Debian's nginx, from `nginx-light`
    Nginx,
    /// `edge`, from EDGE_BIN or beside this binary
    Edge,
}

/// What a proxy needs to know.
pub(crate) struct Setup<'a> {
    /// Directory for its configuration and logs.
    pub(crate) dir: &'a Path,
    pub(crate) identity: &'a Identity,
    pub(crate) origin: SocketAddr,
    pub(crate) cpus: Cpus,
}

impl Proxy {
    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Edge => "edge",
        }
    }

    /// What its binary says about its version.
    pub(crate) fn version(self) -> Result<String> {
        let argument = match self {
            Self::Nginx => "-v",
            Self::Edge => "--version",
        };
        let program = self.program()?;
        let output = Command::new(&program)
            .arg(argument)
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        // nginx says it on stderr.
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().next().unwrap_or_default();
        Ok(line.trim_start_matches("nginx version: ").to_owned())
    }

    /// Writes its configuration, starts it and waits until it accepts connections.
    pub(crate) fn start(self, setup: &Setup<'_>) -> Result<Running> {
        let listen = free_address()?;
        let template = match self {
            Self::Nginx => include_str!("../../peers/nginx.conf"),
            Self::Edge => include_str!("../../peers/edge.toml"),
        };
        let config = template
            .replace("{dir}", &setup.dir.display().to_string())
            .replace("{origin}", &setup.origin.to_string())
            .replace("{listen}", &listen.to_string())
            .replace("{metrics}", &free_address()?.to_string())
            .replace(
                "{certificate}",
                &setup.identity.certificate.display().to_string(),
            )
            .replace("{key}", &setup.identity.key.display().to_string());
        let path = setup.dir.join(format!("{}.conf", self.name()));
        fs::write(&path, config)?;
        let mut command = Command::new(self.program()?);
        match self {
            Self::Nginx => command.arg("-p").arg(setup.dir).arg("-c").arg(&path),
            Self::Edge => command.args(["run", "--config"]).arg(&path),
        };
        Running::start(self, command, listen, setup)
    }

    fn program(self) -> Result<PathBuf> {
        let (candidates, help) = match self {
            Self::Nginx => (
                vec!["/usr/sbin/nginx".into(), "/usr/local/sbin/nginx".into()],
                "install it with: apt-get install nginx-light",
            ),
            Self::Edge => (
                match env::var_os("EDGE_BIN") {
                    Some(path) => vec![PathBuf::from(path)],
                    None => vec![env::current_exe()?.with_file_name("edge")],
                },
                "build it with: cargo build --release -p edge, or set EDGE_BIN",
            ),
        };
        candidates
            .iter()
            .find(|path| path.is_file())
            .cloned()
            .with_context(|| {
                let places: Vec<_> = candidates
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                format!("no {} at {}; {help}", self.name(), places.join(" or "))
            })
    }
}

/// An address nobody listens on at the moment.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}
