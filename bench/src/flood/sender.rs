//! Sending frames in batches.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockType, bind, sendmmsg, socket,
};
use serde::Serialize;

use super::Kind;
use super::frame::{SOURCES_MAX, frame, source};
use super::limits::{FloodError, SECONDS_MAX, is_ours};
use crate::clock;

/// A single source sends from so many ports, so that not every packet is the same.
const FRAMES_MIN: u32 = 1024;

/// Frames handed to the kernel in one call.
const BATCH: usize = 64;

/// A flood to be sent.
#[derive(Clone, Debug)]
pub struct Flood {
    /// The interface that sends.
    pub interface: String,
    /// The Ethernet address of the next hop.
    pub next_hop: [u8; 6],
    /// Where to.
    pub to: SocketAddr,
    /// How many source addresses take turns.
    pub sources: u32,
    /// What the packets are.
    pub kind: Kind,
    /// How long at most.
    pub seconds: u64,
    /// How many packets at most.
    pub packets: u64,
    /// How many a second at most; as fast as one CPU can without.
    pub pps: Option<u64>,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Report {
    /// Packets the interface took.
    pub packets: u64,
    /// Packets it had no room for.
    pub refused: u64,
    /// From the first to the last.
    pub seconds: f64,
    /// Packets a second.
    pub pps: f64,
}

impl Flood {
    /// Sends it.
    ///
    /// # Errors
    /// The destination is not in a private or test network, there are too many sources, or the
    /// kernel refuses: packet sockets need CAP_NET_RAW.
    pub fn send(&self) -> Result<Report, FloodError> {
        if !is_ours(self.to.ip()) {
            return Err(FloodError::PublicDestination(self.to.ip()));
        }
        if self.sources > SOURCES_MAX {
            return Err(FloodError::TooManySources(self.sources, SOURCES_MAX));
        }
        let device = device(&self.interface)?;
        let socket = packet_socket(&device)?;
        let own = device.addr().unwrap_or_default();
        let frames = self.frames(own);
        let slices: Vec<[IoSlice<'_>; 1]> =
            frames.iter().map(|bytes| [IoSlice::new(bytes)]).collect();

        let mut headers: MultiHeaders<LinkAddr> = MultiHeaders::preallocate(BATCH, None);
        let (mut packets, mut refused) = (0, 0);
        let start = clock::monotonic_ns();
        let end = start + Duration::from_secs(self.seconds.min(SECONDS_MAX)).as_nanos() as u64;
        let mut now = start;
        'flood: loop {
            for batch in slices.chunks(BATCH) {
                let left = self.packets.saturating_sub(packets + refused) as usize;
                if left == 0 || now >= end {
                    break 'flood;
                }
                let batch = &batch[..left.min(batch.len())];
                match sendmmsg(
                    socket.as_raw_fd(),
                    &mut headers,
                    batch,
                    [const { None }; BATCH],
                    [],
                    MsgFlags::empty(),
                ) {
                    Ok(sent) => packets += sent.count() as u64,
                    // The device's queue is full for a moment.
                    Err(Errno::ENOBUFS | Errno::EAGAIN) => refused += 1,
                    Err(source) => return Err(system("the interface does not send")(source)),
                }
                now = clock::monotonic_ns();
                if let Some(pps) = self.pps {
                    let due = start + (packets as f64 * 1e9 / pps.max(1) as f64) as u64;
                    clock::pause(Duration::from_nanos(due.saturating_sub(now)));
                }
            }
        }
        let seconds = (now - start) as f64 / 1e9;
        Ok(Report {
            packets,
            refused,
            seconds,
            pps: packets as f64 / seconds,
        })
    }

    fn frames(&self, own: [u8; 6]) -> Vec<Vec<u8>> {
        let sources = self.sources.max(1);
        (0..sources.max(FRAMES_MIN))
            .map(|number| {
                let from = source(number % sources, self.to.ip());
                let port = 1024 + (number % 60_000) as u16;
                frame(
                    self.kind,
                    [self.next_hop, own],
                    SocketAddr::new(from, port),
                    self.to,
                )
            })
            .collect()
    }
}

/// The interface as an address to bind to.
fn device(name: &str) -> Result<LinkAddr, FloodError> {
    nix::ifaddrs::getifaddrs()
        .map_err(system("the interfaces cannot be listed"))?
        .filter(|interface| interface.interface_name == name)
        .find_map(|interface| interface.address?.as_link_addr().copied())
        .ok_or_else(|| FloodError::NoInterface(name.to_owned()))
}

/// A socket that takes whole frames and receives nothing.
fn packet_socket(device: &LinkAddr) -> Result<OwnedFd, FloodError> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .map_err(system("no packet socket (it needs CAP_NET_RAW)"))?;
    bind(socket.as_raw_fd(), device).map_err(system("the interface cannot be bound to"))?;
    Ok(socket)
}

fn system(what: &'static str) -> impl Fn(nix::Error) -> FloodError {
    move |source| FloodError::System { what, source }
}
