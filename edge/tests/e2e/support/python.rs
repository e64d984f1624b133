//! Peers written in Python: the official SDK's server and client, and a raw HTTP/2 client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::process::Process;
use super::system::free_port;
use super::{bins, netns};

/// A server made with the official SDK, under uvicorn.
pub(crate) struct McpServer {
    pub(crate) address: SocketAddr,
    _process: Process,
}

impl McpServer {
    /// Starts the server of an SDK generation; it closes connections idle for `keep_alive_s` seconds.
    pub(crate) fn start(generation: u8, keep_alive_s: u32) -> McpServer {
        McpServer::start_with(generation, keep_alive_s, None)
    }

    /// Starts one of the second generation that web pages of `origin` may call.
    pub(crate) fn start_for_pages(origin: &str) -> McpServer {
        McpServer::start_with(2, 30, Some(origin))
    }

    fn start_with(generation: u8, keep_alive_s: u32, origin: Option<&str>) -> McpServer {
        let port = free_port();
        let mut command = Command::new(bins::python(generation));
        command
            .arg(script("mcp_server.py"))
            .arg(port.to_string())
            .arg(keep_alive_s.to_string())
            .args(origin);
        let mut process = Process::start("mcp_server.py", command);
        process.wait_for("listening on", Duration::from_secs(30));
        McpServer {
            address: ([127, 0, 0, 1], port).into(),
            _process: process,
        }
    }
}

/// A driver script with its arguments, run by the interpreter of an SDK generation.
pub(crate) fn driver(generation: u8, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(bins::python(generation));
    command.arg(script(name)).args(arguments);
    command
}

/// A script of the peers that speak no MCP.
pub(crate) fn peer(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(bins::peers_python());
    command.arg(script(name)).args(arguments);
    command
}

/// The same inside a network namespace.
pub(crate) fn peer_inside(netns: &str, name: &str, arguments: &[&str]) -> Command {
    let mut command = netns::command(Some(netns), &bins::peers_python());
    command.arg(script(name)).args(arguments);
    command
}

/// A WebSocket server made with the `websockets` library.
pub(crate) struct WebSocketServer {
    pub(crate) address: SocketAddr,
    _process: Process,
}

impl WebSocketServer {
    /// Starts it on the loopback address.
    pub(crate) fn start() -> WebSocketServer {
        let port = free_port();
        let mut process =
            Process::start("ws_server.py", peer("ws_server.py", &[&port.to_string()]));
        process.wait_for("listening on", Duration::from_secs(30));
        WebSocketServer {
            address: ([127, 0, 0, 1], port).into(),
            _process: process,
        }
    }
}

/// Runs a driver to its end within `limit`; it must succeed and print one JSON value.
pub(crate) fn run_driver(name: &str, command: Command, limit: Duration) -> serde_json::Value {
    let (code, stdout, stderr) = Process::run(name, command, limit);
    assert_eq!(code, 0, "{name} failed\n{stdout}\n{stderr}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{name}: {error} in {stdout}"))
}

fn script(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "python", name]
        .iter()
        .collect()
}
