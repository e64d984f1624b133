//! A path between a client and the edge that does to packets what paths do.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What is held back goes on after so much silence at the latest.
const SILENCE: Duration = Duration::from_millis(5);

/// It loses 2 % of the packets each way, doubles as many, spoils a bit in 1 %, and lets others overtake
/// 5 %. One client comes over it. It ends when it is dropped.
pub(super) struct Path {
    port: u16,
    seen: Arc<[AtomicU64; 4]>,
    is_over: Arc<AtomicBool>,
}

impl Path {
    pub(super) fn to(edge: SocketAddr, seed: u64) -> Path {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
            let set = socket.set_read_timeout(Some(SILENCE));
            set.expect("it is longer than nothing");
            Arc::new(socket)
        };
        let (front, back) = (socket(), socket());
        back.connect(edge).expect("loopback leads everywhere");
        let path = Path {
            port: front.local_addr().expect("it is bound").port(),
            seen: Arc::default(),
            is_over: Arc::default(),
        };
        let client = Arc::new(Mutex::new(None));
        let (here, there, from) = (Arc::clone(&front), Arc::clone(&back), Arc::clone(&client));
        path.carry(
            2 * seed,
            move |buffer| {
                let (length, address) = here.recv_from(buffer).ok()?;
                *from.lock().expect("nobody panics with it") = Some(address);
                Some(length)
            },
            move |packet| drop(there.send(packet)),
        );
        path.carry(
            2 * seed + 1,
            move |buffer| back.recv(buffer).ok(),
            move |packet| {
                let address = *client.lock().expect("nobody panics with it");
                let address = address.expect("it has spoken first");
                let _ = front.send_to(packet, address);
            },
        );
        path
    }

    /// Where the edge is, over it.
    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// How many packets were lost, doubled, spoiled and overtaken.
    pub(super) fn seen(&self) -> [u64; 4] {
        [0, 1, 2, 3].map(|what| self.seen[what].load(Relaxed))
    }

    fn carry(
        &self,
        seed: u64,
        receive: impl Fn(&mut [u8]) -> Option<usize> + Send + 'static,
        send: impl Fn(&[u8]) + Send + 'static,
    ) {
        let (seen, is_over) = (Arc::clone(&self.seen), Arc::clone(&self.is_over));
        let count = move |what: usize| seen[what].fetch_add(1, Relaxed);
        thread::spawn(move || {
            let mut chance = Chance(seed);
            let mut held: Vec<(u64, Vec<u8>)> = Vec::new();
            let mut buffer = [0; 2048];
            while !is_over.load(Relaxed) {
                let Some(length) = receive(&mut buffer) else {
                    held.drain(..).for_each(|(_, packet)| send(&packet));
                    continue;
                };
                let packet = &mut buffer[..length];
                match chance.below(100) {
                    0 | 1 => drop(count(0)),
                    2 | 3 => {
                        count(1);
                        send(packet);
                        send(packet);
                    }
                    4 => {
                        count(2);
                        packet[chance.below(length as u64) as usize] ^= 1 << chance.below(8);
                        send(packet);
                    }
                    5..=9 => {
                        count(3);
                        held.push((2 + chance.below(20), packet.to_vec()));
                    }
                    _ => send(packet),
                }
                held.retain_mut(|(left, packet)| {
                    *left -= 1;
                    if *left == 0 {
                        send(packet);
                    }
                    *left > 0
                });
            }
        });
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
    }
}

/// The same numbers in every run (Knuth's MMIX generator).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        let next = self.0.wrapping_mul(6364136223846793005);
        self.0 = next.wrapping_add(1442695040888963407);
        (self.0 >> 33) % most
    }
}
