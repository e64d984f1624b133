//! Steering of packets and connections to workers, attached before privileges go.

use std::net::SocketAddr;

use edge_common::SteerConfig;

use super::update::{Carrier, Endpoint, ListenSocket};
use crate::config::{Config, Steer};
use crate::kernel::{SteerError, steer_quic, steer_tcp};
use crate::quic::{GENERATION, Keys};

/// Attaches the programs: `sockets[worker]` has one per endpoint, and worker `n` runs on `cpus[n]`.
/// Where that is not possible the kernel's hash chooses, and the log says what it costs.
pub(super) fn attach(
    config: &Config,
    keys: Option<&Keys>,
    cpus: &[usize],
    sockets: &[Vec<ListenSocket>],
) {
    if sockets.len() < 2 {
        return;
    }
    for endpoint in Endpoint::all(&config.listen) {
        let of_endpoint: Vec<&ListenSocket> = sockets
            .iter()
            .filter_map(|hand| hand.iter().find(|socket| socket.endpoint == endpoint))
            .collect();
        let outcome = match (endpoint.carrier, keys) {
            (Carrier::Quic, Some(keys)) => quic(keys, &of_endpoint),
            (Carrier::Quic, None) => continue,
            (Carrier::Tls | Carrier::Plain, _) if !by_cpu(config, cpus) => continue,
            (Carrier::Tls | Carrier::Plain, _) => steer_tcp(cpus, &of_endpoint),
        };
        if let Err(error) = outcome {
            complain(endpoint.addr, endpoint.carrier, &error);
        }
    }
}

fn quic(keys: &Keys, sockets: &[&ListenSocket]) -> Result<(), SteerError> {
    let config = SteerConfig {
        key: keys.steer(),
        workers: sockets.len() as u32,
        generation: *GENERATION,
        reserved: [0; 3],
    };
    steer_quic(config, sockets)
}

fn complain(addr: SocketAddr, carrier: Carrier, error: &SteerError) {
    match carrier {
        Carrier::Quic => tracing::warn!(
            %addr, %error,
            "QUIC packets go by the kernel's hash: a client that changes its address or port may \
             lose its connection"
        ),
        Carrier::Tls | Carrier::Plain => tracing::warn!(
            %addr, %error,
            "connections go to workers by the kernel's hash, not by CPU"
        ),
    }
}

/// By CPU only where every worker has a CPU of its own that packets come in on: a network card with
/// one queue would give all connections to one worker.
fn by_cpu(config: &Config, cpus: &[usize]) -> bool {
    match config.listen.steer {
        Steer::Cpu => true,
        Steer::Hash => false,
        Steer::Auto => cpus.len() == config.workers && queues() >= config.workers,
    }
}

/// Receive queues of the network card that has most of them.
fn queues() -> usize {
    let Ok(interfaces) = std::fs::read_dir("/sys/class/net") else {
        return 0;
    };
    let queues = interfaces.flatten().map(|interface| {
        // Only hardware, and what a hypervisor shows as such, has a device.
        let is_card = interface.path().join("device").exists();
        let queues = std::fs::read_dir(interface.path().join("queues"));
        let receive = queues.into_iter().flatten().flatten().filter(|queue| {
            let name = queue.file_name();
            is_card && name.to_string_lossy().starts_with("rx-")
        });
        receive.count()
    });
    queues.max().unwrap_or(0)
}
