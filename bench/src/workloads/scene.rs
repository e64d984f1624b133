//! Two network namespaces joined by a pair of virtual Ethernet devices.

use std::fs;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};

use super::shell;

/// A receiver and a sender, gone when this is dropped.
pub(super) struct Scene {
    /// The receiver's namespace.
    pub(super) host: String,
    /// The sender's.
    pub(super) client: String,
    /// The name of the receiver's device, which no other scene has.
    pub(super) device: String,
    /// The receiver's Ethernet address.
    pub(super) mac: String,
}

/// The receiver's address.
pub(super) const HOST: &str = "10.77.0.1";

/// The name of the sender's device.
pub(super) const SENDER: &str = "sender";

impl Scene {
    pub(super) fn set() -> Result<Scene> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |side| format!("edge-bench-{side}-{}-{number}", process::id());
        let mut scene = Scene {
            host: name("host"),
            client: name("client"),
            device: format!("eb{number}"),
            mac: String::new(),
        };
        let Scene {
            host,
            client,
            device,
            ..
        } = &scene;
        ip(&["netns", "add", host])?;
        ip(&["netns", "add", client])?;
        ip(&[
            "link", "add", device, "netns", host, "type", "veth", "peer", "name", SENDER, "netns",
            client,
        ])?;
        for (netns, device, addr) in [(host, &**device, HOST), (client, SENDER, "10.77.0.2")] {
            let addr = format!("{addr}/24");
            ip(&["-n", netns, "addr", "add", &addr, "dev", device])?;
            ip(&["-n", netns, "link", "set", device, "up"])?;
            ip(&["-n", netns, "link", "set", "lo", "up"])?;
        }
        // Answers to forged sources would go back to the sender: they have nowhere to go.
        ip(&["-n", host, "route", "add", "blackhole", "198.18.0.0/15"])?;
        // Packets are received in a thread of its own, whose time can be read.
        shell::run(
            "ip",
            &[
                "netns",
                "exec",
                host,
                "sh",
                "-c",
                &format!("ethtool -K {device} gro on && echo 1 >/sys/class/net/{device}/threaded"),
            ],
        )?;
        // A device passes packets of a sender that could segment them to the other side in the
        // sender's own time, past that thread, unless a program is attached there.
        shell::output(shell::inside(client, "ethtool").args(["-K", SENDER, "tso", "off"]))?;
        scene.mac = scene.link()?["address"]
            .as_str()
            .context("a device has an Ethernet address")?
            .to_owned();
        Ok(scene)
    }

    /// The number of the XDP program that is attached.
    pub(super) fn program(&self) -> Result<String> {
        let link = self.link()?;
        let id = link["xdp"]["prog"]["id"].as_u64();
        Ok(id.context("no XDP program is attached")?.to_string())
    }

    /// The thread that receives.
    pub(super) fn receiver(&self) -> Result<i32> {
        let wanted = format!("napi/{}-", self.device);
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            if name.starts_with(&wanted) {
                return Ok(pid);
            }
        }
        bail!("no thread {wanted}: this kernel has no threaded NAPI")
    }

    fn link(&self) -> Result<serde_json::Value> {
        let links = shell::json(
            "ip",
            &["-n", &self.host, "-j", "link", "show", &self.device],
        )?;
        Ok(links[0].clone())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for netns in [&self.host, &self.client] {
            // Best effort: it may not have been made.
            let _ = ip(&["netns", "del", netns]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    shell::run("ip", arguments).map(drop)
}
