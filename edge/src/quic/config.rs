//! What endpoints and connections are allowed.

use std::sync::Arc;
use std::time::Duration;

use edge_common::Owner;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};

use super::ids::Generator;
use super::keys::Keys;
use crate::config::Config;
use crate::tls::{self, Promises};

/// Credit for request content per stream: a JSON-RPC message arrives in one go, an upload at
/// 80 Mbit/s over 100 ms. With half of it a fast client waits for credit, and less comes at a time.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// Credit for request content of a whole connection.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// Response bytes that a connection holds at most until the client has them: 160 Mbit/s over 100 ms.
/// How many it may hold goes with the congestion window.
pub const SEND_WINDOW: u64 = 2 * 1024 * 1024;
/// Control and two for QPACK, and a few of kinds that are not known.
const UNI_STREAMS: u32 = 8;
/// Handshake bytes out of order: certificates of clients are not taken.
const CRYPTO_BYTES_MAX: usize = 16 * 1024;
/// Attempts that wait for a worker to look at them, which is one turn of its loop.
const INCOMING_MAX: usize = 1024;
/// What is kept of an attempt meanwhile: a hello of several packets.
const INCOMING_BYTES: u64 = 16 * 1024;
/// What is kept of all of them.
const INCOMING_BYTES_TOTAL: u64 = 4 * 1024 * 1024;

/// Between two stateless resets: after a restart there are as many clients to tell as there were
/// connections. Each is shorter than the packet that it answers.
const RESET_INTERVAL: Duration = Duration::from_millis(1);

/// The settings of one worker's endpoint.
pub fn endpoint_config(keys: &Keys, owner: Owner) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::clone(&keys.reset) as _);
    let key = keys.steer;
    config.cid_generator(move || Box::new(Generator { key, owner }));
    config.min_reset_interval(RESET_INTERVAL);
    config
}

/// The settings of every connection that begins under this configuration; `None` if its TLS has
/// nothing that QUIC can use.
pub fn server_config(
    config: &Config,
    tcp: &rustls::ServerConfig,
    keys: &Keys,
) -> Option<Arc<ServerConfig>> {
    let early = config
        .quic
        .early_data
        .then(|| (&keys.sessions, promises(config)));
    let crypto = QuicServerConfig::try_from(tls::for_quic(tcp, early)).ok()?;
    let mut server = ServerConfig::new(Arc::new(crypto), Arc::clone(&keys.token) as _);
    server
        .transport_config(Arc::new(transport(config)))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
    Some(Arc::new(server))
}

/// What of the settings a client relies on in early data and a reload may change: how many streams
/// it may open, and how large a field section may be.
fn promises(config: &Config) -> Promises {
    let mut promises = Promises::default();
    let (streams, section) = promises.split_at_mut(4);
    streams.copy_from_slice(&config.bounds.streams.to_be_bytes());
    section.copy_from_slice(&(config.bounds.head_bytes as u64).to_be_bytes());
    promises
}

fn transport(config: &Config) -> TransportConfig {
    let quic = &config.quic;
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(config.bounds.streams))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .crypto_buffer_size(CRYPTO_BYTES_MAX)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(IdleTimeout::try_from(quic.idle_timeout).ok())
        .keep_alive_interval(quic.keep_alive);
    transport
}
