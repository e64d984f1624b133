//! Two network namespaces joined by a pair of virtual Ethernet devices.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

/// A host and a client, gone when this is dropped.
pub(super) struct Pair {
    host: String,
    client: String,
}

/// The name of the device in either namespace.
pub(super) const DEVICE: &str = "veth0";
pub(super) const HOST: &str = "10.99.0.1";
pub(super) const CLIENT: &str = "10.99.0.2";
/// The host's address of IPv6, and the client's in a network of its own.
pub(super) const HOST_V6: &str = "fd00:99::1";
pub(super) const CLIENT_V6: &str = "fd00:99:0:2::2";

impl Pair {
    pub(super) fn new() -> Pair {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = |side| {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            format!("edge-kernel-{side}-{}-{count}", process::id())
        };
        let pair = Pair {
            host: name("host"),
            client: name("client"),
        };
        let Pair { host, client } = &pair;
        ip(&["netns", "add", host]);
        ip(&["netns", "add", client]);
        ip(&[
            "link", "add", DEVICE, "netns", host, "type", "veth", "peer", "name", DEVICE, "netns",
            client,
        ]);
        for (netns, addr, addr_v6) in [(host, HOST, HOST_V6), (client, CLIENT, CLIENT_V6)] {
            let add = ["-n", netns, "addr", "add"];
            ip(&[&add[..], &[&format!("{addr}/24"), "dev", DEVICE]].concat());
            // Another address is not looked for first: nobody else is there.
            let addr_v6 = format!("{addr_v6}/48");
            ip(&[&add[..], &[&addr_v6, "dev", DEVICE, "nodad"]].concat());
            ip(&["-n", netns, "link", "set", DEVICE, "up"]);
            ip(&["-n", netns, "link", "set", "lo", "up"]);
        }
        pair
    }

    /// Runs a function inside the host's namespace.
    pub(super) fn on_host<T: Send>(&self, function: impl FnOnce() -> T + Send) -> T {
        inside(&self.host, function)
    }

    /// Runs a function inside the client's namespace.
    pub(super) fn on_client<T: Send>(&self, function: impl FnOnce() -> T + Send) -> T {
        inside(&self.client, function)
    }

    /// Runs `ip` on the host.
    pub(super) fn ip_on_host(&self, arguments: &[&str]) {
        ip(&[&["-n", &self.host], arguments].concat());
    }

    /// Runs `ip` on the client.
    pub(super) fn ip_on_client(&self, arguments: &[&str]) {
        ip(&[&["-n", &self.client], arguments].concat());
    }

    /// Sends a frame from the client so many times, as fast as it goes.
    pub(super) fn flood(&self, frame: &[u8], count: usize) {
        self.flood_of(frame.to_vec(), count, |_, _| {});
    }

    /// The same, changed before each time.
    pub(super) fn flood_of(
        &self,
        mut frame: Vec<u8>,
        count: usize,
        mut change: impl FnMut(usize, &mut [u8]) + Send,
    ) {
        self.on_client(|| {
            let socket = packet_socket().expect("a packet socket needs root");
            for i in 0..count {
                change(i, &mut frame);
                while let Err(error) = send(&socket, &frame) {
                    // The device's queue is full for a moment.
                    assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS), "{error}");
                }
            }
        });
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for netns in [&self.host, &self.client] {
            // Best effort: the test may have failed before it was made.
            let _ = Command::new("ip").args(["netns", "del", netns]).status();
        }
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .expect("iproute2");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments:?}: {message}");
}

fn inside<T: Send>(netns: &str, function: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let file = File::open(format!("/run/netns/{netns}")).unwrap();
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            function()
        });
        match thread.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// A socket that sends whole frames.
fn packet_socket() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn send(socket: &OwnedFd, frame: &[u8]) -> io::Result<()> {
    // SAFETY: sockaddr_ll is plain data for which zeros are valid.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = libc::AF_PACKET as u16;
    to.sll_ifindex = nix::net::if_::if_nametoindex(DEVICE)?.cast_signed();
    // SAFETY: the frame and the address are valid for reads of the lengths given.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const to).cast(),
            size_of_val(&to) as u32,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
