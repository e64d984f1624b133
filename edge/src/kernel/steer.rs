//! Choosing the socket among those that share an address (`SO_ATTACH_REUSEPORT_EBPF`, socket(7);
//! Linux 4.19).
//!
//! A program belongs to the sockets it is attached to and lives as long as they do: nothing has to
//! be kept here. A socket that is closed leaves the program's array by itself, and the others stay
//! where they are; [`Steered::put`] gives its place to another. Where programs may
//! not be loaded the kernel's own hash goes on choosing.

use std::error::Error;
use std::os::fd::{AsFd, AsRawFd as _};

use aya::maps::{Array, Map, MapData, ReusePortSockArray};
use aya::programs::SkReuseport;
use aya::{Ebpf, EbpfError, EbpfLoader};
use edge_common::{STEER_CPUS, SteerConfig};

use super::error::errno;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/steer.o"));

/// Why the kernel's hash goes on choosing.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// This process may not load programs.
    #[error("not permitted; it takes root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")]
    NoPermission,
    /// The kernel refused for another reason.
    #[error("{0}")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
}

impl<E: Into<EbpfError>> From<E> for SteerError {
    fn from(error: E) -> SteerError {
        let error = error.into();
        match errno(&error) {
            Some(libc::EPERM | libc::EACCES) => SteerError::NoPermission,
            _ => SteerError::Refused(error.into()),
        }
    }
}

/// The sockets that a program chooses from.
pub struct Steered(ReusePortSockArray<MapData>);

impl Steered {
    /// Gives a worker's place to a socket of the same address, which must not have one yet.
    pub fn put(&mut self, worker: u32, socket: impl AsFd) -> Result<(), SteerError> {
        Ok(self.0.set(worker, &socket.as_fd().as_raw_fd(), 0)?)
    }
}

/// Brings datagrams to the socket of the worker that their connection ID names: `sockets` of one
/// address, in the order of the workers.
pub fn steer_quic(config: SteerConfig, sockets: &[impl AsFd]) -> Result<Steered, SteerError> {
    let mut ebpf = load()?;
    Array::<_, SteerConfig>::try_from(map(&mut ebpf, "CONFIG"))?.set(0, config, 0)?;
    attach(&mut ebpf, "quic", sockets)
}

/// Brings connections to the listening socket of the worker that runs on the CPU they come in on:
/// `cpus` and `sockets` of one address, in the order of the workers.
pub fn steer_tcp(cpus: &[usize], sockets: &[impl AsFd]) -> Result<Steered, SteerError> {
    let mut ebpf = load()?;
    let mut workers = Array::<_, u32>::try_from(map(&mut ebpf, "WORKERS"))?;
    for (worker, &cpu) in (1..).zip(cpus) {
        if cpu < STEER_CPUS {
            workers.set(cpu as u32, worker, 0)?;
        }
    }
    attach(&mut ebpf, "tcp", sockets)
}

fn load() -> Result<Ebpf, SteerError> {
    Ok(EbpfLoader::new().load(OBJECT)?)
}

fn attach(ebpf: &mut Ebpf, name: &str, sockets: &[impl AsFd]) -> Result<Steered, SteerError> {
    program(ebpf, name).load()?;
    let array = ebpf.take_map("SOCKETS");
    let mut steered = Steered(array.expect("build.rs built it with this map").try_into()?);
    for (worker, socket) in (0..).zip(sockets) {
        steered.put(worker, socket)?;
    }
    if let Some(socket) = sockets.first() {
        // It holds for all sockets of the address.
        program(ebpf, name).attach(socket)?;
    }
    Ok(steered)
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> &'a mut SkReuseport {
    ebpf.program_mut(name)
        .and_then(|program| program.try_into().ok())
        .expect("build.rs built the object with a program of this name")
}

/// Stays with the object, whose programs refer to it when they are loaded.
fn map<'a>(ebpf: &'a mut Ebpf, name: &str) -> &'a mut Map {
    ebpf.map_mut(name)
        .expect("build.rs built the object with a map of this name")
}
