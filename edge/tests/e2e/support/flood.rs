//! A generator of TCP segments for the namespaces of the tests: as many as one processor can send.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::unistd::gettid;
use socket2::{Domain, Protocol, Socket, Type};

use super::bins;
use super::netns::{self, Pair};
use super::process::Process;

/// No flood outlives this, whatever happens to its test.
const LONGEST: Duration = Duration::from_secs(20);

/// Flag bits of a TCP segment.
pub(crate) const SYN: u8 = 0x02;
/// Flag bits of a TCP segment.
pub(crate) const ACK: u8 = 0x10;

/// A running flood; it ends with [`Flood::stop`] or when dropped.
pub(crate) enum Flood {
    /// Of this process, from an address that is the namespace's own.
    Own {
        stop: Arc<AtomicBool>,
        sent: Arc<AtomicU64>,
        thread: Option<JoinHandle<()>>,
    },
    /// The generator of the `bench` crate, from a forged source, as fast as one processor can.
    Forged(Process),
}

impl Flood {
    /// Sends segments with these flags from a namespace and an address of it.
    pub(crate) fn start(netns: &str, from: Ipv4Addr, to: SocketAddrV4, flags: u8) -> Flood {
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let (thread_stop, thread_sent) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = netns::spawn_inside(netns, move || {
            step_back();
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::TCP))
                .expect("root has raw sockets");
            socket
                .bind(&SocketAddrV4::new(from, 0).into())
                .expect("the address is the namespace's");
            let start = Instant::now();
            let target = to.into();
            for round in 0_u32.. {
                let segment = segment(from, to, flags, round);
                // A full queue drops segments; the count is of what was taken.
                let taken = socket.send_to(&segment, &target).is_ok();
                thread_sent.fetch_add(u64::from(taken), Relaxed);
                if round % 64 == 0 && (thread_stop.load(Relaxed) || start.elapsed() > LONGEST) {
                    break;
                }
            }
        });
        Flood::Own {
            stop,
            sent,
            thread: Some(thread),
        }
    }

    /// Sends connection attempts from a forged source for some seconds.
    pub(crate) fn forged(pair: &Pair, to: SocketAddrV4, seconds: u32) -> Flood {
        let mut command = netns::command(Some(&pair.client), Path::new("nice"));
        command.args(["-n", "19"]).arg(bins::edge_flood());
        command.args(["--interface", "veth-c", "--dst-mac", Pair::HOST_MAC]);
        command.args([
            "--dst",
            &to.ip().to_string(),
            "--port",
            &to.port().to_string(),
        ]);
        command.args(["--seconds", &seconds.to_string()]);
        Flood::Forged(Process::start("edge-flood", command))
    }

    /// Ends it, or waits for its end; the number of packets sent.
    pub(crate) fn stop(mut self) -> u64 {
        self.end();
        match &mut self {
            Flood::Own { sent, .. } => sent.load(Relaxed),
            Flood::Forged(process) => {
                let (code, stdout, stderr) = process.finish(LONGEST);
                assert_eq!(code, 0, "edge-flood: {stderr}");
                let report: serde_json::Value =
                    serde_json::from_str(&stdout).expect("it reports in JSON");
                report["packets"].as_u64().expect("a count")
            }
        }
    }

    fn end(&mut self) {
        if let Flood::Own { stop, thread, .. } = self {
            stop.store(true, Relaxed);
            if let Some(thread) = thread.take() {
                // A panic in it shows in the count.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.end();
    }
}

/// Makes the generator's thread take only the processor time that the measured programs leave.
///
/// It stands for other machines: what its packets cost the receiving kernel is to be measured, not what
/// it costs to make them.
fn step_back() {
    let mut command = Command::new("renice");
    command.args(["-n", "19", "-p", &gettid().to_string()]);
    let (code, _, stderr) = Process::run("renice", command, Duration::from_secs(5));
    assert_eq!(code, 0, "{stderr}");
}

/// A TCP segment without data, with ports and sequence number that vary, and a right checksum.
fn segment(from: Ipv4Addr, to: SocketAddrV4, flags: u8, round: u32) -> [u8; 20] {
    let mut segment = [0; 20];
    let source_port = 1024 + (round % 60_000) as u16;
    segment[0..2].copy_from_slice(&source_port.to_be_bytes());
    segment[2..4].copy_from_slice(&to.port().to_be_bytes());
    segment[4..8].copy_from_slice(&round.wrapping_mul(2_654_435_761).to_be_bytes());
    segment[12] = 5 << 4;
    segment[13] = flags;
    segment[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    // RFC 9293 §3.1: with a pseudo header of addresses, protocol and length.
    let pseudo = [from.octets(), to.ip().octets(), [0, 6, 0, 20]].concat();
    let words = pseudo.chunks_exact(2).chain(segment.chunks_exact(2));
    let sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    segment
}
