//! What has to be on the machine, and why. Each need is looked for by what it does, not by the name
//! of its package: a compiler installed in another way is as good.

use crate::setup::python;
use crate::shell;

/// Who needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Building and running.
    Build,
    /// Also the tests and the measurements.
    Tests,
}

/// One thing that has to be there.
#[derive(Debug)]
pub(crate) struct Need {
    /// What a person calls it.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) why: &'static str,
    /// The Debian packages it comes from.
    pub(crate) packages: &'static [&'static str],
    found: Found,
}

/// How to see that it is there.
#[derive(Debug)]
enum Found {
    Program(&'static str),
    Python,
}

impl Need {
    const fn program(
        name: &'static str,
        packages: &'static [&'static str],
        why: &'static str,
    ) -> Self {
        Self {
            name,
            why,
            packages,
            found: Found::Program(name),
        }
    }

    /// Looks for it.
    pub(crate) fn is_met(&self) -> bool {
        match self.found {
            Found::Program(name) => shell::find(name).is_some(),
            Found::Python => python::interpreter().is_some(),
        }
    }
}

/// For building and running.
const BUILD: &[Need] = &[
    Need::program(
        "cc",
        &["gcc", "libc6-dev"],
        "compiles the C code of aws-lc (TLS) and links",
    ),
    Need::program(
        "cmake",
        &["cmake"],
        "builds aws-lc where its prepared build does not fit",
    ),
    Need::program(
        "make",
        &["make"],
        "builds aws-lc where its prepared build does not fit",
    ),
    Need::program(
        "pkg-config",
        &["pkg-config"],
        "finds system libraries for build scripts",
    ),
    Need::program(
        "ip",
        &["iproute2"],
        "makes the network namespaces of `run --netns` and the tests",
    ),
    Need::program(
        "ethtool",
        &["ethtool"],
        "sets the offloads of the namespaces' network devices",
    ),
    Need::program(
        "curl",
        &["curl", "ca-certificates"],
        "the client `run` suggests to try",
    ),
    Need::program("openssl", &["openssl"], "makes the development certificate"),
];

/// For tests and measurements.
const TESTS: &[Need] = &[
    Need::program(
        "nginx",
        &["nginx-light"],
        "the peer that edge is measured against",
    ),
    Need::program(
        "htpasswd",
        &["apache2-utils"],
        "writes the files of users that basic authentication reads",
    ),
    Need::program(
        "haproxy",
        &["haproxy"],
        "a proxy in front that speaks the PROXY protocol, and a peer of measurements",
    ),
    Need::program(
        "h2load",
        &["nghttp2-client"],
        "an independent HTTP/2 client",
    ),
    Need::program(
        "promtool",
        &["prometheus"],
        "checks the metrics page as Prometheus reads it",
    ),
    Need::program(
        "chromium",
        &["chromium"],
        "the browser that HTTP/3 is tried with",
    ),
    Need::program(
        "chromedriver",
        &["chromium-driver"],
        "tells that browser what to do",
    ),
    Need::program(
        "bpftool",
        &["bpftool"],
        "looks at the kernel programs from outside, and runs them for measurements",
    ),
    Need::program(
        "xdp-filter",
        &["xdp-tools"],
        "the peer that the shield is measured against",
    ),
    Need::program(
        "nft",
        &["nftables"],
        "a peer that the shield is measured against",
    ),
    Need::program(
        "iptables",
        &["iptables"],
        "a peer that the shield is measured against",
    ),
    Need::program(
        "npm",
        &["nodejs", "npm"],
        "installs the peers that are written for Node",
    ),
    Need {
        name: "python3",
        why: "runs the official MCP SDKs (3.10 or later, with venv)",
        packages: &["python3", "python3-venv"],
        found: Found::Python,
    },
];

/// The needs of a group.
pub(crate) fn needs(group: Group) -> impl Iterator<Item = &'static Need> {
    let tests = if group == Group::Tests { TESTS } else { &[] };
    BUILD.iter().chain(tests)
}
