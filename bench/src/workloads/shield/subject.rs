//! What drops packets, and how each is told to: all but one packet an hour of every source.

use anyhow::Result;

use super::super::scene::Scene;
use super::super::shell;
use super::PORT;
use super::edge::Edge;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Edge,
    XdpFilter,
    Nftables,
    Iptables,
}

/// What lives as long as the subject is measured.
pub(super) enum Installed {
    Edge(Edge),
    /// Gone with its namespace.
    InNamespace,
}

impl Subject {
    pub(super) const ALL: [Subject; 4] = [
        Subject::Edge,
        Subject::XdpFilter,
        Subject::Nftables,
        Subject::Iptables,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Subject::Edge => "edge",
            Subject::XdpFilter => "xdp-filter",
            Subject::Nftables => "nftables",
            Subject::Iptables => "iptables",
        }
    }

    /// Puts it in front of a scene's receiver.
    pub(super) fn install(self, scene: &Scene) -> Result<Installed> {
        let device = &scene.device;
        match self {
            Subject::Edge => {
                let limits = "packets = \"1/h\"\npackets_burst = 1\nconnections = \"off\"";
                return Ok(Installed::Edge(Edge::start(scene, limits, &[])?));
            }
            // It has no limits: it drops whatever it is not told to let in.
            Subject::XdpFilter => {
                let load = ["load", device, "-m", "native", "-p", "deny"];
                shell::output(shell::inside(&scene.host, "xdp-filter").args(load))?;
            }
            Subject::Nftables => {
                let rules = format!(
                    "table netdev bench {{ set sources {{ type ipv4_addr; size 131072; \
                     flags dynamic,timeout; timeout 1h; }}; chain drops {{ \
                     type filter hook ingress device \"{device}\" priority 0; policy accept; \
                     tcp dport {PORT} update @sources {{ ip saddr limit rate over 1/hour burst 1 packets }} \
                     drop; }}; }};"
                );
                shell::output(shell::inside(&scene.host, "nft").arg(rules))?;
            }
            Subject::Iptables => {
                let port = PORT.to_string();
                let rule = [
                    "-w",
                    "-t",
                    "raw",
                    "-A",
                    "PREROUTING",
                    "-p",
                    "tcp",
                    "--dport",
                    &port,
                    "-m",
                    "hashlimit",
                    "--hashlimit-above",
                    "1/hour",
                    "--hashlimit-burst",
                    "1",
                    "--hashlimit-mode",
                    "srcip",
                    "--hashlimit-name",
                    "bench",
                    "--hashlimit-htable-size",
                    "131072",
                    "--hashlimit-htable-max",
                    "200000",
                    "--hashlimit-htable-expire",
                    "3600000",
                    "-j",
                    "DROP",
                ];
                shell::output(shell::inside(&scene.host, "iptables").args(rule))?;
            }
        }
        Ok(Installed::InNamespace)
    }
}
