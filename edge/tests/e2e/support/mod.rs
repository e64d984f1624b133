//! What the end-to-end tests share: processes, peers, certificates, clients and namespaces.

mod bins;
mod certs;
mod client;
mod edge;
mod events;
mod flood;
mod h2;
mod load;
mod metrics;
mod netns;
mod node;
mod pin;
mod process;
mod python;
mod response;
mod rpc;
mod system;
mod upstream;

pub(crate) use bins::edge as edge_binary;
pub(crate) use certs::{Authority, Leaf};
pub(crate) use client::{ALPN_H1, ALPN_H2, Client, End, tls_config, tls_config_of};
pub(crate) use edge::{Edge, Setup};
pub(crate) use events::listen;
pub(crate) use flood::{ACK, Flood, SYN};
pub(crate) use h2::{H2, request as h2_request};
pub(crate) use load::{heavy, is_soak, light};
pub(crate) use netns::{Pair, command as netns_command, inside, ip, spawn_inside};
pub(crate) use node::{node_program, node_script};
pub(crate) use pin::Pin;
pub(crate) use process::Process;
pub(crate) use python::{McpServer, WebSocketServer, driver, peer, peer_inside, run_driver};
pub(crate) use response::Response;
pub(crate) use rpc::{initialize, modern, rpc, tool_call};
pub(crate) use system::{free_port, rss_bytes, status_field, wait_until};
pub(crate) use upstream::{Answer, Demo, Upstream};
