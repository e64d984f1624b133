//! A proxy as a workload wants it: its files and its command line.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use nix::sys::resource::{Resource, getrlimit};

use super::identity::Identity;
use super::proxy::Proxy;
use super::running::Running;
use crate::measure::Cpus;

/// Descriptors that are no connections.
const DESCRIPTORS_APART: u64 = 200;
/// What stands for the number of times that a configuration was taken over, in files that proxies
/// watch.
const GENERATION: &str = "[[generation]]";

/// A proxy as one workload wants it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) proxy: Proxy,
    /// The name in results, and of its files.
    pub(crate) label: String,
    pub(crate) workers: usize,
    /// Its file, if not the usual one.
    pub(crate) program: Option<PathBuf>,
    /// Further keys of edge's only route.
    pub(crate) route: &'static str,
    /// The lines of edge's [quic].
    pub(crate) quic: &'static str,
}

impl From<Proxy> for Peer {
    fn from(proxy: Proxy) -> Self {
        Self {
            proxy,
            label: proxy.name().to_owned(),
            workers: 1,
            program: None,
            route: "",
            quic: "",
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

impl<'a> Setup<'a> {
    /// On the loopback, where the shield plays no part.
    pub(crate) fn on_loopback(
        dir: &'a Path,
        identity: &'a Identity,
        origin: SocketAddr,
        cpus: &'a Cpus,
    ) -> Self {
        Self {
            dir,
            identity,
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            origin,
            cpus,
            netns: None,
            shield: "mode = \"off\"",
        }
    }
}

/// A file that a proxy watches, and takes over when another is put in its place.
pub(super) struct Watched {
    path: PathBuf,
    text: String,
}

impl Watched {
    /// Puts a file in place that differs from every one before.
    pub(super) fn put(&self, generation: u64) -> Result<()> {
        let next = self.path.with_extension("next");
        fs::write(
            &next,
            self.text.replace(GENERATION, &generation.to_string()),
        )?;
        Ok(fs::rename(&next, &self.path)?)
    }
}

/// How words to be filled in are marked: not with what the language of the file uses itself.
const BRACES: [&str; 2] = ["{", "}"];
const BRACKETS: [&str; 2] = ["[[", "]]"];

impl Peer {
    /// Writes its configuration, starts it and waits until it accepts connections.
    pub(crate) fn start(&self, setup: &Setup<'_>) -> Result<Running> {
        let listen = SocketAddr::new(setup.ip, free_port()?);
        let metrics = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), free_port()?);
        let (command, watched) = self.prepare(setup, listen, metrics)?;
        Running::start(self, command, watched, [listen, metrics], setup)
    }

    /// Writes its configuration; what starts it.
    fn prepare(
        &self,
        setup: &Setup<'_>,
        listen: SocketAddr,
        metrics: SocketAddr,
    ) -> Result<(Command, Option<Watched>)> {
        let (template, marks) = match self.proxy {
            Proxy::Edge => (include_str!("../../peers/edge.toml"), BRACES),
            Proxy::Nginx => (include_str!("../../peers/nginx.conf"), BRACES),
            Proxy::Haproxy => (include_str!("../../peers/haproxy.cfg"), BRACES),
            Proxy::Caddy => (include_str!("../../peers/Caddyfile"), BRACKETS),
            Proxy::Traefik => (include_str!("../../peers/traefik.yaml"), BRACKETS),
            Proxy::Envoy => (include_str!("../../peers/envoy.yaml"), BRACKETS),
        };
        // Its own directory: two of one kind do not share logs and sockets.
        let dir = setup.dir.join(&self.label);
        fs::create_dir_all(&dir)?;
        let words = self.words(setup, &dir, listen, metrics)?;
        // Traefik and Envoy go by the ending.
        let path = match self.proxy {
            Proxy::Traefik | Proxy::Envoy => dir.join("config.yaml"),
            _ => dir.join("config"),
        };
        fs::write(&path, fill(template, marks, &words))?;
        let routes = match self.proxy {
            Proxy::Traefik => Some((
                include_str!("../../peers/traefik-routes.yaml"),
                "traefik-routes.yaml",
            )),
            Proxy::Envoy => Some((
                include_str!("../../peers/envoy-routes.yaml"),
                "envoy-routes.yaml",
            )),
            _ => None,
        };
        let watched = routes.map(|(template, file)| Watched {
            path: dir.join(file),
            text: fill(template, BRACKETS, &words),
        });
        if let Some(watched) = &watched {
            watched.put(0)?;
        }
        let program = match &self.program {
            Some(program) => program.clone(),
            None => self.proxy.program()?,
        };
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
            Proxy::Traefik => command
                .env("GOMAXPROCS", self.workers.to_string())
                .env("HOME", &dir)
                .arg(format!("--configfile={}", path.display())),
            Proxy::Envoy => command
                .args(["--disable-hot-restart", "--log-level", "error"])
                .args(["--concurrency", &self.workers.to_string()])
                .arg("--config-path")
                .arg(&path),
        };
        Ok((command, watched))
    }

    /// What is filled in.
    fn words(
        &self,
        setup: &Setup<'_>,
        dir: &Path,
        listen: SocketAddr,
        metrics: SocketAddr,
    ) -> Result<Vec<(&'static str, String)>> {
        let identity = setup.identity;
        Ok(vec![
            ("dir", dir.display().to_string()),
            ("origin", setup.origin.to_string()),
            ("origin_ip", setup.origin.ip().to_string()),
            ("origin_port", setup.origin.port().to_string()),
            ("listen", listen.to_string()),
            ("ip", listen.ip().to_string()),
            ("port", listen.port().to_string()),
            ("metrics", metrics.to_string()),
            ("certificate", identity.certificate.display().to_string()),
            ("key", identity.key.display().to_string()),
            ("pem", identity.pem.display().to_string()),
            ("connections", connections()?.to_string()),
            ("workers", self.workers.to_string()),
            ("route", self.route.to_owned()),
            ("quic", self.quic.to_owned()),
            ("shield", setup.shield.to_owned()),
        ])
    }
}

fn fill(template: &str, [open, close]: [&str; 2], words: &[(&str, String)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in words {
        text = text.replace(&format!("{open}{name}{close}"), value);
    }
    text
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
