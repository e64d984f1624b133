//! The official SDK's own client and server, both generations, through `edge` over HTTP/1.1 and HTTP/2.

use std::time::Duration;

use serde_json::Value;

use crate::support::{McpServer, Setup, driver, light, run_driver};

/// How long the quiet stream says nothing: longer than the minute after which many proxies cut it.
const SILENT_S: &str = "70";

/// From the server's last hop to the client: most events, half of them, and the last straggler. Six
/// interpreters, two servers and two edges share the machine, so only the scheduler bounds the last.
const P90_MS_MAX: f64 = 20.0;
const MEDIAN_MS_MAX: f64 = 5.0;
const WORST_MS_MAX: f64 = 500.0;

/// SDK generation, HTTP version, how the client negotiates.
const COMBINATIONS: &[(u8, &str, &str)] = &[
    (1, "1", "legacy"),
    (1, "2", "legacy"),
    (2, "1", "legacy"),
    (2, "2", "legacy"),
    (2, "1", "auto"),
    (2, "2", "auto"),
];

#[test]
fn both_sdk_generations_over_both_http_versions() {
    let _machine = light();
    let servers = [McpServer::start(1, 30), McpServer::start(2, 30)];
    // The older generation gets no comments: its quiet stream is silent from end to end.
    let edges = [
        Setup::new(servers[0].address)
            .route("keep_alive = \"off\"")
            .start(),
        Setup::new(servers[1].address).start(),
    ];
    let runs: Vec<_> = COMBINATIONS
        .iter()
        .map(|&(generation, version, mode)| {
            let edge = &edges[usize::from(generation) - 1];
            let url = format!("{}/mcp", edge.url());
            let mut command = driver(
                generation,
                "mcp_client.py",
                &[&url, version, mode, SILENT_S],
            );
            command.env("SSL_CERT_FILE", edge.file("ca.pem"));
            // One after the other: six interpreters starting at once would measure each other.
            std::thread::sleep(Duration::from_millis(1500));
            let name = format!("SDK {generation}, HTTP/{version}, {mode}");
            std::thread::spawn(move || (run_driver(&name, command, Duration::from_secs(110)), name))
        })
        .collect();
    let mut wrong = Vec::new();
    for run in runs {
        let (result, name) = run
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        wrong.extend(check(&result, &name));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Everything that is wrong with one client's report.
fn check(result: &Value, name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut expect = |right: bool, what: String| {
        if !right {
            wrong.push(format!("{name}: {what}"));
        }
    };
    let version = if name.contains("HTTP/2") {
        "HTTP/2"
    } else {
        "HTTP/1.1"
    };
    expect(
        result["versions"] == serde_json::json!([version]),
        format!("spoke {}", result["versions"]),
    );
    let tools = serde_json::json!(["add", "big", "progress", "silent"]);
    expect(
        result["tools"] == tools,
        format!("tools {}", result["tools"]),
    );
    let sums: Vec<u64> = (2..22).collect();
    expect(
        result["sums"] == serde_json::json!(sums),
        format!("sums {}", result["sums"]),
    );
    expect(
        result["big_ok"] == true,
        "the 5 MB result is not what was sent".to_owned(),
    );
    expect(
        result["progress"] == "100 events" && result["reports"] == 100,
        format!("{} reports", result["reports"]),
    );
    expect(
        result["silent"] == "spoke" && result["silent_reports"] == 1,
        format!("silent: {}", result["silent"]),
    );
    let mut delays = numbers(&result["delays_ms"]);
    let silent = numbers(&result["silent_delays_ms"]);
    expect(
        delays.len() == 100 && silent.len() == 1,
        format!("{} and {} events", delays.len(), silent.len()),
    );
    delays.sort_by(f64::total_cmp);
    let median = delays.get(delays.len() / 2).copied().unwrap_or(f64::NAN);
    let p90 = delays
        .get(delays.len() * 9 / 10)
        .copied()
        .unwrap_or(f64::NAN);
    let worst = delays.iter().chain(&silent).copied().fold(0.0, f64::max);
    println!(
        "{name}: median {median:.2} ms, p90 {p90:.2} ms, worst {worst:.2} ms, after the silence {silent:.2?} ms"
    );
    expect(
        median < MEDIAN_MS_MAX,
        format!("median delay {median:.2} ms"),
    );
    expect(p90 < P90_MS_MAX, format!("p90 delay {p90:.2} ms"));
    expect(
        worst < WORST_MS_MAX,
        format!("worst delay {worst:.2} ms, after the silence {silent:.2?} ms"),
    );
    wrong
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array()
        .map(|list| list.iter().filter_map(Value::as_f64).collect())
        .unwrap_or_default()
}

#[test]
fn a_python_server_that_closes_idle_connections_quickly() {
    let _machine = light();
    let server = McpServer::start(2, 1);
    let edge = Setup::new(server.address).start();
    let mut client = edge.tls();
    for round in 0..3 {
        // uvicorn closes after a second; the next POST must not meet the dead connection.
        let body = "{}";
        let response = client.exchange(format!(
            "POST /nothing-here HTTP/1.1\r\nHost: localhost:{}\r\nContent-Length: {}\r\n\r\n{body}",
            edge.https.port(),
            body.len()
        ));
        assert_eq!(response.status, 404, "round {round}: {}", response.text());
        std::thread::sleep(Duration::from_millis(1500));
    }
}
