//! The official conformance suite, and the TypeScript SDK's client, against servers of the official
//! SDKs: through `edge` everything is as it is without.

use std::time::Duration;

use crate::support::{
    McpServer, Process, Setup, light, node_program, node_script, run_driver, wait_until,
};

const LIMIT: Duration = Duration::from_secs(100);

/// One line for each scenario: how many of its checks passed and failed. Some fail against the
/// reference servers themselves; what counts is that the same do.
fn scenarios(url: &str) -> Vec<String> {
    let program = "@modelcontextprotocol/conformance/dist/index.js";
    let command = node_program(program, &["server", "--url", url]);
    let (_, stdout, stderr) = Process::run("conformance", command, LIMIT);
    let output = stdout + &stderr;
    let mut lines: Vec<String> = output
        .lines()
        .filter(|line| line.starts_with('✓') || line.starts_with('✗'))
        .map(str::to_owned)
        .collect();
    assert!(lines.len() > 20, "the suite did not run:\n{output}");
    lines.sort();
    lines
}

#[test]
fn the_conformance_suite_sees_no_difference() {
    let _machine = light();
    for generation in [1, 2] {
        let server = McpServer::start(generation, 30);
        let edge = Setup::new(server.address).route("mcp = true").start();
        let [direct, through] = [server.address, edge.http]
            .map(|address| scenarios(&format!("http://localhost:{}/mcp", address.port())));
        assert_eq!(through, direct, "SDK {generation}");
        assert!(
            through.iter().any(|line| line.starts_with('✓')),
            "{through:?}"
        );
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
