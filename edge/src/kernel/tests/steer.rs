//! Which socket of several gets a datagram or a connection. There is no `BPF_PROG_TEST_RUN` for these
//! programs: sockets are.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use edge_common::{Owner, SteerConfig, SteerKey};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};

use super::harness::wait;
use crate::kernel::{Steered, steer_quic, steer_tcp};

const KEY: SteerKey = SteerKey([7, 9]);
const GENERATION: u8 = 5;
const WORKERS: usize = 3;

/// A socket that shares its address with others.
fn shared(kind: Type, addr: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, kind, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.bind(&addr.into()).unwrap();
    socket
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A socket for each worker.
fn workers() -> Vec<UdpSocket> {
    let first: UdpSocket = shared(Type::DGRAM, loopback()).into();
    let addr = first.local_addr().unwrap();
    let others = (1..WORKERS).map(|_| shared(Type::DGRAM, addr).into());
    std::iter::once(first).chain(others).collect()
}

fn steer(sockets: &[UdpSocket]) -> Steered {
    let config = SteerConfig {
        key: KEY,
        workers: sockets.len() as u32,
        generation: GENERATION,
        reserved: [0; 3],
    };
    steer_quic(config, sockets).expect("root may")
}

fn id(worker: u8, generation: u8, random: u64) -> [u8; 12] {
    KEY.seal(random, Owner { worker, generation })
}

/// With a short header, RFC 9000 §17.3.
fn short(id: [u8; 12]) -> Vec<u8> {
    [&[0x40][..], &id, &[0; 20]].concat()
}

/// With a long one, §17.2.
fn long(id: &[u8]) -> Vec<u8> {
    [&[0xe0, 0, 0, 0, 1, id.len() as u8][..], id, &[0; 30]].concat()
}

/// Sends a datagram from a port of its own; the socket that got it.
fn receiver(datagram: &[u8], sockets: &[Option<UdpSocket>]) -> usize {
    let addr = sockets.iter().flatten().next().unwrap().local_addr();
    let client = UdpSocket::bind(loopback()).unwrap();
    client.send_to(datagram, addr.unwrap()).unwrap();
    for _ in 0..2000 {
        for (index, socket) in sockets.iter().enumerate() {
            let Some(socket) = socket else { continue };
            match socket.recv(&mut [0; 64]) {
                Ok(_) => return index,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}"),
            }
        }
        wait(Duration::from_millis(1));
    }
    panic!("nobody got {datagram:02x?}");
}

fn open(sockets: Vec<UdpSocket>) -> Vec<Option<UdpSocket>> {
    sockets.into_iter().map(Some).collect()
}

/// Packets of both kinds of every worker's connections, from eight ports each: all must go to it.
fn assert_steered(sockets: &[Option<UdpSocket>], workers: &[u8]) {
    for &worker in workers {
        for random in 0..8u64 {
            let id = id(
                worker,
                GENERATION,
                random.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            );
            for datagram in [short(id), long(&id)] {
                let got = receiver(&datagram, sockets);
                assert_eq!(got, usize::from(worker), "{datagram:02x?}");
            }
        }
    }
}

#[test]
fn a_datagram_goes_to_the_worker_that_its_connection_id_names() {
    let sockets = workers();
    steer(&sockets);
    assert_steered(&open(sockets), &[0, 1, 2]);
}

#[test]
fn what_names_nobody_goes_by_the_hash_to_all_of_them() {
    let sockets = workers();
    steer(&sockets);
    let sockets = open(sockets);
    let mut got = [0; WORKERS];
    let foreign = SteerKey([1, 2]);
    let owner = Owner {
        worker: 1,
        generation: GENERATION,
    };
    for random in 0..16 {
        let ours = id(1, GENERATION, random);
        for datagram in [
            short(foreign.seal(random, owner)),
            short(id(1, GENERATION + 1, random)),
            short(id(WORKERS as u8, GENERATION, random)),
            long(&ours[..8]),
            long(&[ours.as_slice(), &[1]].concat()),
            long(&[]),
            vec![0x40; 3],
            Vec::new(),
        ] {
            got[receiver(&datagram, &sockets)] += 1;
        }
    }
    // 128 of them: each socket's share is a third.
    assert!(got.iter().all(|&got| got > 10), "{got:?}");
}

#[test]
fn a_worker_that_is_replaced_moves_no_other_ones_connections() {
    let sockets = workers();
    let addr = sockets[0].local_addr().unwrap();
    let mut steered = steer(&sockets);
    let mut sockets = open(sockets);
    sockets[1] = None;
    assert_steered(&sockets, &[0, 2]);
    // Somebody gets them, and answers with a reset.
    let orphan = receiver(&short(id(1, GENERATION, 3)), &sockets);
    assert_ne!(orphan, 1);

    let anew: UdpSocket = shared(Type::DGRAM, addr).into();
    steered.put(1, &anew).unwrap();
    sockets[1] = Some(anew);
    assert_steered(&sockets, &[0, 1, 2]);
}

#[test]
fn a_connection_goes_to_the_worker_of_the_cpu_it_comes_in_on() {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let cpus: Vec<usize> = (0..CpuSet::count())
        .filter(|&cpu| allowed.is_set(cpu).unwrap())
        .collect();
    let listen = |addr| -> TcpListener {
        let socket = shared(Type::STREAM, addr);
        socket.listen(64).unwrap();
        socket.into()
    };
    let first = listen(loopback());
    let addr = first.local_addr().unwrap();
    let mut listeners = vec![first];
    listeners.extend(cpus[1..].iter().map(|_| listen(addr)));
    steer_tcp(&cpus, &listeners).expect("root may");

    for (worker, &cpu) in cpus.iter().enumerate() {
        // On the loopback interface a packet comes in where it went out.
        let connected = std::thread::spawn(move || {
            let mut here = CpuSet::new();
            here.set(cpu).unwrap();
            sched_setaffinity(Pid::from_raw(0), &here).unwrap();
            let connections = (0..16).map(|_| TcpStream::connect(addr).unwrap());
            connections.collect::<Vec<_>>()
        });
        let connected = connected.join().unwrap();
        let accepted: Vec<usize> = listeners
            .iter()
            .map(|listener| std::iter::from_fn(|| listener.accept().ok()).count())
            .collect();
        let mut expected = vec![0; cpus.len()];
        expected[worker] = connected.len();
        assert_eq!(accepted, expected, "from CPU {cpu}");
    }
}
