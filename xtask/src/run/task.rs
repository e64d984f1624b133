//! The task: starts everything in order, watches it, and leaves nothing behind.

use std::fs::{self, Permissions};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::run::certificate::Certificate;
use crate::run::config::{self, Demo};
use crate::run::hints::Hints;
use crate::run::metrics::Page;
use crate::run::namespaces::{self, Namespaces};
use crate::run::pin::Pin;
use crate::run::ports::{self, Ports};
use crate::run::stage::Stage;
use crate::{build, setup, shell};

/// Run edge in front of a demo MCP server, with the shield on, until Ctrl-C.
///
/// Sets the machine up if something is missing, builds for release, makes a development
/// certificate on first use, and prints what to try. Without root, or on a kernel without BPF, it
/// serves all the same and says what is off. Leaves no process, file or namespace behind; only the
/// certificate stays, in target/dev-ca.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run your own configuration, without the demo server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["netns", "https", "http", "metrics"])]
    config: Option<PathBuf>,
    /// Put client and host in two network namespaces on a veth pair, with the shield in the
    /// driver (native XDP); takes root
    #[arg(long)]
    netns: bool,
    #[command(flatten)]
    ports: Ports,
}

/// Runs the task.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    match &options.config {
        Some(file) => run_own(repo, file),
        None => run_demo(repo, options),
    }
}

fn run_own(repo: &Repo, file: &Path) -> Result<()> {
    let text = fs::read_to_string(file);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    setup::ensure(repo, setup::Group::Build)?;
    build::release(repo)?;

    let _pin = Pin::of(&repo.release("edge"), file);
    let mut stage = Stage::new()?;
    stage.warn_without_root();
    let mut edge = shell::command(repo.release("edge"));
    if !stage.start_edge(edge.arg("run").arg("--config").arg(file))? {
        return Ok(());
    }
    match config::metrics_address(&text) {
        Some(address) => stage.watch_metrics(Page {
            address,
            namespace: None,
        }),
        None => stage.say("The metrics page is off: no summary. Ctrl-C stops edge."),
    }
    stage.play()
}

fn run_demo(repo: &Repo, options: &Options) -> Result<()> {
    if options.netns {
        Namespaces::check()?;
    } else {
        options.ports.check(&ports::loopback())?;
    }
    setup::ensure(repo, setup::Group::Build)?;
    build::release(repo)?;
    let certificate = Certificate::ensure(&repo.dev_ca())?;

    // Dropped last to first: programs end before their files and namespaces go.
    let directory = run_directory()?;
    let namespaces = options.netns.then(Namespaces::make).transpose()?;
    let pin = Pin::own(&repo.release("edge"));
    let mut stage = Stage::new()?;
    stage.warn_without_root();

    let here = |program: &str| {
        let program = repo.release(program);
        match namespaces {
            Some(_) => Namespaces::command_in_host(&program),
            None => shell::command(program),
        }
    };
    let Some(upstream) = stage.start_demo(here("edge-demo").args(["--listen", "127.0.0.1:0"]))?
    else {
        return Ok(());
    };

    let addresses = match namespaces {
        Some(_) => vec![IpAddr::V4(namespaces::HOST_ADDRESS)],
        None => ports::loopback(),
    };
    let (interface, mode) = match namespaces {
        Some(_) => (namespaces::HOST_LINK, "native"),
        None => ("lo", "generic"),
    };
    let demo = Demo {
        addresses: &addresses,
        ports: options.ports,
        certificate: &certificate,
        upstream,
        interface,
        mode,
        directory: directory.path(),
        pin: pin.directory(),
    };
    let file = directory.path().join("edge.toml");
    fs::write(&file, demo.to_toml()).with_context(|| format!("cannot write {}", file.display()))?;
    if !stage.start_edge(here("edge").arg("run").arg("--config").arg(&file))? {
        return Ok(());
    }

    let address = SocketAddr::from(([127, 0, 0, 1], options.ports.metrics));
    let namespace = namespaces
        .as_ref()
        .map(|_| PathBuf::from(Namespaces::host_file()));
    stage.watch_metrics(Page { address, namespace });
    let Some(shield) = stage.shield_runs()? else {
        return Ok(());
    };
    stage.say("");
    stage.say(&hints(repo, &demo, options.netns, shield));
    stage.play()
}

/// What to try: as a client that is this machine, or one in a namespace of its own.
fn hints(repo: &Repo, demo: &Demo<'_>, netns: bool, shield: bool) -> String {
    let (host, victim, client, server) = if netns {
        (
            namespaces::HOST_ADDRESS.to_string(),
            namespaces::OTHER_CLIENT_ADDRESS.to_string(),
            format!("{} ", Namespaces::enter_client()),
            format!("{} ", Namespaces::enter_host()),
        )
    } else {
        let here = ("localhost".to_owned(), "127.0.0.2".to_owned());
        (here.0, here.1, String::new(), String::new())
    };
    Hints {
        host: &host,
        victim: &victim,
        victim_is_here: !netns,
        client: &client,
        server: &server,
        ca: &Repo::shown(&demo.certificate.ca),
        edge: &Repo::shown(&repo.release("edge")),
        socket: &demo.directory.join("admin.sock"),
        log: &demo.directory.join("access.log"),
        ports: [demo.ports.https, demo.ports.http, demo.ports.metrics],
        shield,
    }
    .text()
}

/// A directory for this run, which `edge` can also enter after it has given up root.
fn run_directory() -> Result<tempfile::TempDir> {
    let directory = tempfile::Builder::new().prefix("edge-").tempdir();
    let directory = directory.context("cannot make a temporary directory")?;
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {} to others", directory.path().display()))?;
    Ok(directory)
}
