//! Steering of packets and connections to workers, attached by who still may.

use std::fs;

use edge_common::{SteerConfig, SteerKey};
use serde::{Deserialize, Serialize};

use super::update::{Carrier, Endpoint, ListenSocket};
use crate::config::{Listen, Steer};
use crate::kernel::{SteerError, steer_quic, steer_tcp};
use crate::quic::{GENERATION, Keys};

/// What the programs have to know of the workers; the same for every address, and as long as the
/// process lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Steering {
    /// Opens connection IDs, where QUIC is spoken.
    key: Option<[u64; 2]>,
    generation: u8,
    /// The CPU of each worker.
    cpus: Vec<usize>,
}

impl Steering {
    pub(super) fn new(keys: Option<&Keys>, cpus: &[usize]) -> Steering {
        Steering {
            key: keys.map(|keys| keys.steer().0),
            generation: *GENERATION,
            cpus: cpus.to_owned(),
        }
    }

    /// Attaches the program of an address to its sockets, one for each worker in their order. Where
    /// that is not possible the kernel's hash chooses.
    pub(super) fn attach(
        &self,
        listen: &Listen,
        carrier: Carrier,
        sockets: &[&ListenSocket],
    ) -> Result<(), SteerError> {
        if sockets.len() < 2 {
            return Ok(());
        }
        match (carrier, self.key) {
            (Carrier::Quic, Some(key)) => {
                let config = SteerConfig {
                    key: SteerKey(key),
                    workers: sockets.len() as u32,
                    generation: self.generation,
                    reserved: [0; 3],
                };
                steer_quic(config, sockets).map(drop)
            }
            (Carrier::Tls | Carrier::Plain, _) if self.by_cpu(listen, sockets.len()) => {
                steer_tcp(&self.cpus, sockets).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// By CPU only where every worker has a CPU of its own that packets come in on: a network card
    /// with one queue would give all connections to one worker.
    fn by_cpu(&self, listen: &Listen, workers: usize) -> bool {
        match listen.steer {
            Steer::Cpu => true,
            Steer::Hash => false,
            Steer::Auto => self.cpus.len() == workers && queues() >= workers,
        }
    }
}

/// Attaches the programs of all addresses: `sockets[worker]` has one per endpoint.
pub(super) fn attach(steering: &Steering, listen: &Listen, sockets: &[Vec<ListenSocket>]) {
    for endpoint in Endpoint::all(listen) {
        let of_endpoint: Vec<&ListenSocket> = sockets
            .iter()
            .filter_map(|hand| hand.iter().find(|socket| socket.endpoint == endpoint))
            .collect();
        if let Err(error) = steering.attach(listen, endpoint.carrier, &of_endpoint) {
            complain(endpoint, &error.to_string());
        }
    }
}

/// Says what it costs that the kernel's hash chooses.
pub(super) fn complain(endpoint: Endpoint, error: &str) {
    let addr = endpoint.addr;
    match endpoint.carrier {
        Carrier::Quic => tracing::warn!(
            %addr, error,
            "QUIC packets go by the kernel's hash: a client that changes its address or port may \
             lose its connection"
        ),
        Carrier::Tls | Carrier::Plain => tracing::warn!(
            %addr, error,
            "connections go to workers by the kernel's hash, not by CPU"
        ),
    }
}

/// Receive queues of the network card that has most of them.
fn queues() -> usize {
    let Ok(interfaces) = fs::read_dir("/sys/class/net") else {
        return 0;
    };
    let queues = interfaces.flatten().map(|interface| {
        // Only hardware, and what a hypervisor shows as such, has a device.
        let is_card = interface.path().join("device").exists();
        let queues = fs::read_dir(interface.path().join("queues"));
        let receive = queues.into_iter().flatten().flatten().filter(|queue| {
            let name = queue.file_name();
            is_card && name.to_string_lossy().starts_with("rx-")
        });
        receive.count()
    });
    queues.max().unwrap_or(0)
}
