//! A generator of TCP segments for the namespaces of the tests: as many as one processor can send.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::netns;

/// No flood outlives this, whatever happens to its test.
const LONGEST: Duration = Duration::from_secs(20);

/// Flag bits of a TCP segment.
pub(crate) const SYN: u8 = 0x02;
/// Flag bits of a TCP segment.
pub(crate) const ACK: u8 = 0x10;

/// A running flood; it ends with [`Flood::stop`] or when dropped.
pub(crate) struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Sends segments with these flags from a namespace and an address of it.
    pub(crate) fn start(netns: &str, from: Ipv4Addr, to: SocketAddrV4, flags: u8) -> Flood {
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let (thread_stop, thread_sent) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = netns::spawn_inside(netns, move || {
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
        Flood {
            stop,
            sent,
            thread: Some(thread),
        }
    }

    /// Segments sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Ends it; the number of segments sent.
    pub(crate) fn stop(mut self) -> u64 {
        self.end();
        self.sent()
    }

    fn end(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it shows in the count.
            let _ = thread.join();
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.end();
    }
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
