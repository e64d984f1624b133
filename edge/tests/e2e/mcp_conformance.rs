//! The official conformance suite, the Inspector and the TypeScript SDK's client, against servers of
//! the official SDKs: through `edge` everything is as it is without.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{
    McpServer, Process, Setup, driver, free_port, light, node_program, node_script, run_driver,
    wait_until,
};

const LIMIT: Duration = Duration::from_secs(100);

/// A server with all that the suite asks of one.
struct Fixture {
    address: SocketAddr,
    _process: Process,
}

impl Fixture {
    fn start(name: &str, command: impl FnOnce(&str) -> Command) -> Fixture {
        let port = free_port();
        let mut process = Process::start(name, command(&port.to_string()));
        process.wait_for("listening on", Duration::from_secs(40));
        Fixture {
            address: ([127, 0, 0, 1], port).into(),
            _process: process,
        }
    }

    fn python(generation: u8) -> Fixture {
        Fixture::start("mcp_conformance.py", |port| {
            driver(generation, "mcp_conformance.py", &[port])
        })
    }

    fn typescript() -> Fixture {
        Fixture::start("conformance_server.mjs", |port| {
            node_script("conformance_server.mjs", &[port])
        })
    }
}

/// What a version of the suite says: one line for each scenario, with how many of its checks passed
/// and failed.
fn scenarios(package: &str, address: SocketAddr, more: &[&str]) -> Vec<String> {
    let program = format!("@modelcontextprotocol/{package}/dist/index.js");
    let url = format!("http://localhost:{}/mcp", address.port());
    let arguments = [&["server", "--suite", "all", "--url", &url], more].concat();
    let (_, stdout, stderr) =
        Process::run("conformance", node_program(&program, &arguments), LIMIT);
    let output = stdout + &stderr;
    let mut lines: Vec<String> = output
        .lines()
        .filter(|line| line.starts_with('✓') || line.starts_with('✗'))
        .map(str::to_owned)
        .collect();
    assert!(lines.len() > 25, "the suite did not run:\n{output}");
    lines.sort();
    lines
}

/// The scenarios through `edge`, which must be as they are without. Some fail against the reference
/// servers themselves, which leave things out; what counts is that the same do.
fn through(server: &Fixture, package: &str, more: &[&str]) -> Vec<String> {
    let edge = Setup::new(server.address).route("mcp = true").start();
    let direct = scenarios(package, server.address, more);
    let through = scenarios(package, edge.http, more);
    assert_eq!(through, direct, "{package}");
    through
}

fn passed(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.starts_with('✓')).count()
}

#[test]
fn conformance_of_the_python_sdks_servers() {
    let _machine = light();
    for generation in [1, 2] {
        let lines = through(&Fixture::python(generation), "conformance", &[]);
        assert!(passed(&lines) >= 24, "{lines:#?}");
    }
}

#[test]
fn conformance_of_the_typescript_sdks_server() {
    let _machine = light();
    let lines = through(&Fixture::typescript(), "conformance", &[]);
    assert_eq!(passed(&lines), lines.len(), "{lines:#?}");
}

#[test]
fn conformance_to_the_revision_without_sessions() {
    let _machine = light();
    let version = ["--spec-version", "2026-07-28"];
    let lines = through(&Fixture::python(2), "conformance-modern", &version);
    assert!(passed(&lines) >= 20, "{lines:#?}");
}

#[test]
fn the_inspectors_command_line() {
    let _machine = light();
    let server = McpServer::start(2, 30);
    let edge = Setup::new(server.address).route("mcp = true").start();
    let ask = |address: SocketAddr, era: &str, more: &[&str]| -> Value {
        let url = format!("http://localhost:{}/mcp", address.port());
        let program = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";
        let arguments = ["--cli", &url, "--transport", "http", "--protocol-era", era];
        let mut command = node_program(program, &[&arguments, more].concat());
        // It keeps files there.
        command.env("HOME", edge.dir());
        run_driver("inspector", command, LIMIT)
    };
    for era in ["legacy", "modern"] {
        let list = ["--method", "tools/list"];
        let [direct, through] = [server.address, edge.http].map(|at| ask(at, era, &list));
        assert_eq!(through, direct, "{era}");
        assert!(
            through.to_string().contains("Adds two numbers."),
            "{through}"
        );
        let call = "--method tools/call --tool-name add --tool-arg a=2 b=40";
        let call: Vec<&str> = call.split(' ').collect();
        let answer = ask(edge.http, era, &call);
        assert_eq!(answer["content"][0]["text"], "42", "{answer}");
        let line = edge.log_line(|line| line["mcp_tool"] == "add" && line["mcp_era"] == era);
        assert_eq!(line["status"], 200, "{line}");
    }
}

#[test]
fn the_typescript_sdks_client() {
    let _machine = light();
    let server = McpServer::start(2, 30);
    let edge = Setup::new(server.address).route("mcp = true").start();
    let url = format!("http://localhost:{}/mcp", edge.http.port());
    let result = run_driver(
        "sdk_client.mjs",
        node_script("sdk_client.mjs", &[&url]),
        LIMIT,
    );
    assert_eq!(
        result["tools"],
        serde_json::json!(["add", "big", "progress", "silent"])
    );
    let sums: Vec<u64> = (2..12).collect();
    assert_eq!(result["sums"], serde_json::json!(sums));
    assert_eq!(result["reports"], 20);
    let line = edge.log_line(|line| line["mcp_tool"] == "progress");
    assert!(
        line["mcp_events"]
            .as_u64()
            .is_some_and(|events| events > 20),
        "{line}"
    );
    assert!(result["session"].is_string() && line["mcp_session"].is_string());
    let none_left = || edge.metrics().sum("edge_mcp_sessions", &[]) == 0.0;
    assert!(
        wait_until(Duration::from_secs(5), none_left),
        "its DELETE ends the session"
    );
}
