//! The official SDK's own client and server, both generations, through `edge` over HTTP/1.1 and HTTP/2.

use std::time::Duration;

use serde_json::Value;

use crate::support::{McpServer, Setup, driver, is_soak, light, run_driver};

/// How long the quiet stream says nothing, and what `edge` may wait for anything else: the silence is
/// longer, as it is than the minute of the defaults (and of many proxies) in the long version.
const SILENT_S: &str = "30";
const DEADLINE: &str = "20s";
const SILENT_SOAK_S: &str = "70";
const DEADLINE_SOAK: &str = "60s";

/// For a client that hangs: over a minute may be silence, and six interpreters start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(170);

/// How much longer events take through `edge` than twice the way of the same events beside them,
/// straight from the server: the least disturbed of them, and half of them. Whatever else the machine
/// does, it does to each hop; the slowest events say more of the machine than of `edge`.
const TENTH_MS_MAX: f64 = 2.0;
const MEDIAN_MS_MAX: f64 = 3.0;
/// An event that is held back comes together with the next one, which is sent 50 ms later.
const HELD_MS: f64 = 40.0;
/// Of a hundred, beyond those that a stall of the machine holds up on either hop.
const HELD_MAX: usize = 3;
/// For the one event after the silence.
const SILENT_MS_MAX: f64 = 100.0;

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
    let (silent_s, deadline) = match is_soak() {
        true => (SILENT_SOAK_S, DEADLINE_SOAK),
        false => (SILENT_S, DEADLINE),
    };
    let start = |server: &McpServer, route: &str| {
        Setup::new(server.address)
            .section(
                "timeouts",
                &format!("body = \"{deadline}\"\nsend = \"{deadline}\""),
            )
            .route(&format!("response_timeout = \"{deadline}\"\n{route}"))
            .start()
    };
    let edges = [
        start(&servers[0], "keep_alive = \"off\""),
        start(&servers[1], ""),
    ];
    let runs: Vec<_> = COMBINATIONS
        .iter()
        .map(|&(generation, version, mode)| {
            let edge = &edges[usize::from(generation) - 1];
            let url = format!("{}/mcp", edge.url());
            let server = servers[usize::from(generation) - 1].address;
            let direct = format!("http://localhost:{}/mcp", server.port());
            let mut command = driver(
                generation,
                "mcp_client.py",
                &[&url, version, mode, silent_s, &direct],
            );
            command.env("SSL_CERT_FILE", edge.file("ca.pem"));
            // One after the other: six interpreters starting at once would measure each other.
            std::thread::sleep(Duration::from_millis(1500));
            let name = format!("SDK {generation}, HTTP/{version}, {mode}");
            std::thread::spawn(move || (run_driver(&name, command, PATIENCE), name))
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
    for late in lateness(result) {
        expect(false, late);
    }
    wrong
}

/// What is wrong with the times that events took.
fn lateness(result: &Value) -> Vec<String> {
    let [through, direct, silent, silent_direct] = [
        "delays_ms",
        "direct_ms",
        "silent_delays_ms",
        "silent_direct_ms",
    ]
    .map(|name| numbers(&result[name]));
    let counts = [&through, &direct, &silent, &silent_direct].map(Vec::len);
    if counts != [100, 100, 1, 1] {
        return vec![format!("{counts:?} events")];
    }
    let held = |delays: &[f64]| {
        let pairs = delays.windows(2);
        pairs.filter(|pair| pair[0] - pair[1] > HELD_MS).count()
    };
    let (held, held_direct) = (held(&through), held(&direct));
    let sorted = |mut delays: Vec<f64>| {
        delays.sort_by(f64::total_cmp);
        delays
    };
    let [through, direct] = [through, direct].map(sorted);
    let [tenth, median, p90] = [10, 50, 90].map(|nth| through[nth] - 2.0 * direct[nth]);
    let after_silence = silent[0] - silent_direct[0];
    println!(
        "longer than twice the direct way: p10 {tenth:.2} ms of {:.2}, median {median:.2} of {:.2}, p90 {p90:.2} of {:.2}; \
         {held} held back, {held_direct} directly; worst {:.2} and {:.2}; after the silence {after_silence:.2} of {:.2}",
        through[10], through[50], through[90], through[99], direct[99], silent[0]
    );
    let mut wrong = Vec::new();
    let mut expect = |right: bool, what: String| {
        if !right {
            wrong.push(what);
        }
    };
    expect(tenth < TENTH_MS_MAX, format!("p10 {tenth:.2} ms more"));
    expect(
        median < MEDIAN_MS_MAX,
        format!("median {median:.2} ms more"),
    );
    expect(
        held <= 2 * held_direct + HELD_MAX,
        format!("{held} events held back, {held_direct} directly"),
    );
    expect(
        after_silence < SILENT_MS_MAX,
        format!("after the silence {after_silence:.2} ms more"),
    );
    wrong
}

/// The bounds tell a proxy that holds events back from one that does not.
#[test]
fn events_that_are_held_back_are_noticed() {
    let direct: Vec<f64> = (0..100).map(|n| 0.5 + f64::from(n % 10) / 10.0).collect();
    let held = |hold: &dyn Fn(usize) -> f64| {
        let delays: Vec<f64> = direct
            .iter()
            .enumerate()
            .map(|(n, ms)| ms + hold(n))
            .collect();
        let result = serde_json::json!({
            "delays_ms": delays, "direct_ms": direct,
            "silent_delays_ms": [2.0], "silent_direct_ms": [1.0],
        });
        lateness(&result)
    };
    assert_eq!(held(&|_| 0.7), Vec::<String>::new());
    // Until the next one: all of them, every second, one in ten; until there are ten; until a tick of
    // 10 ms; by an acknowledgment that is waited for.
    assert!(!held(&|_| 50.0).is_empty());
    assert!(!held(&|n| if n % 2 == 0 { 50.0 } else { 0.7 }).is_empty());
    assert!(!held(&|n| if n % 10 == 0 { 50.0 } else { 0.7 }).is_empty());
    assert!(!held(&|n| (9 - n % 10) as f64 * 50.0).is_empty());
    assert!(!held(&|n| (n * 7 % 10) as f64).is_empty());
    assert!(!held(&|_| 40.0).is_empty());
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
