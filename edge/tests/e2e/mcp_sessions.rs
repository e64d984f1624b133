//! Sessions stay with the server that issued them, and start anew when it is gone.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{
    Answer, Edge, Process, Setup, Upstream, driver, free_port, initialize, light, node_script, rpc,
    run_driver, tool_call, wait_until,
};

const SESSIONS: usize = 500;
const SERVERS: usize = 3;
const LIMIT: Duration = Duration::from_secs(5);

/// Servers with sessions, made with the official SDK.
struct Stateful {
    addresses: Vec<SocketAddr>,
    processes: Vec<Process>,
}

impl Stateful {
    fn start(transport: &str) -> Stateful {
        let ports: Vec<u16> = (0..SERVERS).map(|_| free_port()).collect();
        let start = |port: &u16| {
            let command = driver(1, "mcp_stateful.py", &[&port.to_string(), transport]);
            Process::start("mcp_stateful.py", command)
        };
        let mut processes: Vec<Process> = ports.iter().map(start).collect();
        for process in &mut processes {
            process.wait_for("listening on", Duration::from_secs(40));
        }
        Stateful {
            addresses: ports
                .iter()
                .map(|&port| ([127, 0, 0, 1], port).into())
                .collect(),
            processes,
        }
    }

    fn edge(&self) -> Edge {
        self.edge_with("mcp = true")
    }

    fn edge_with(&self, route: &str) -> Edge {
        let servers: Vec<String> = self.addresses.iter().map(|a| format!("\"{a}\"")).collect();
        Setup::new(self.addresses[0])
            .top("workers = 2")
            .upstream(&format!("servers = [{}]", servers.join(", ")))
            .route(route)
            .start()
    }
}

/// One call of `count` in a session, on a connection of its own so that any worker gets it.
fn count(edge: &Edge, session: &str) -> Result<(u16, u64), u16> {
    let header = format!("Mcp-Session-Id: {session}");
    let response = edge
        .plain()
        .exchange(rpc("/mcp", &[&header], &tool_call(1, "count")));
    if response.status != 200 {
        if response.status == 404 {
            assert_eq!(response.json()["error"]["code"], -32001);
            assert_eq!(response.json()["id"], 1);
        }
        return Err(response.status);
    }
    let json = response.json();
    let text = json["result"]["content"][0]["text"]
        .as_str()
        .expect("an answer");
    let (port, count) = text.split_once(':').expect("PORT:N");
    Ok((
        port.parse().expect("a port"),
        count.parse().expect("a count"),
    ))
}

#[test]
fn five_hundred_sessions_none_misrouted_and_one_server_killed() {
    let _machine = light();
    let mut servers = Stateful::start("http");
    let edge = servers.edge();
    let mut sessions: HashMap<String, u16> = HashMap::new();
    let mut client = edge.plain();
    for _ in 0..SESSIONS {
        let id = initialize(&mut client).unwrap_or_else(|r| panic!("{} {}", r.status, r.text()));
        sessions.insert(id, 0);
    }
    drop(client);
    for (id, server) in &mut sessions {
        let (port, calls) = count(&edge, id).expect("the session is known");
        assert_eq!(calls, 1);
        *server = port;
    }
    let used: HashSet<u16> = sessions.values().copied().collect();
    assert_eq!(used.len(), SERVERS, "every server has some");
    assert_eq!(
        edge.metrics().sum("edge_mcp_sessions", &[]),
        SESSIONS as f64
    );

    // A reload forgets nothing.
    edge.process.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(500));
    for (id, server) in sessions.iter().take(100) {
        assert_eq!(count(&edge, id), Ok((*server, 2)));
    }

    // Killed between two calls of many, with sessions of its own on either side.
    let killed = servers.addresses[0].port();
    let mut lost = 0;
    for (number, (id, server)) in sessions.iter().enumerate() {
        if number == SESSIONS / 2 {
            servers.processes[0].signal(Signal::SIGKILL);
            servers.processes[0].wait(LIMIT);
        }
        let is_killed = *server == killed && number >= SESSIONS / 2;
        match (count(&edge, id), is_killed) {
            (Err(404), true) => lost += 1,
            (Ok((port, _)), false) => assert_eq!(port, *server),
            (answer, is_killed) => {
                panic!("{answer:?} of a session whose server is killed: {is_killed}")
            }
        }
    }
    // Those that had been answered before are lost as well, and stay lost.
    for (id, _) in sessions.iter().filter(|(_, server)| **server == killed) {
        assert_eq!(count(&edge, id), Err(404));
    }
    assert!(lost > 0);
    // 404 tells the client to start anew, and it can.
    let id = initialize(&mut edge.plain()).unwrap_or_else(|r| panic!("{} {}", r.status, r.text()));
    let (port, _) = count(&edge, &id).expect("the new session is known");
    assert_ne!(port, killed);

    // DELETE ends it: for the server, and for the edge.
    let end = format!("DELETE /mcp HTTP/1.1\r\nHost: localhost:80\r\nMcp-Session-Id: {id}\r\n\r\n");
    assert_eq!(edge.plain().exchange(&end).status, 200);
    assert_eq!(count(&edge, &id), Err(404));
    let line = edge.log_line(|line| line["method"] == "DELETE");
    assert_eq!(line["mcp_class"], "session_end");
    let hash = line["mcp_session"].as_str().expect("a hash").to_owned();
    assert!(
        hash.len() == 16 && !line.to_string().contains(&id),
        "{line}"
    );
    edge.log_line(|line| line["mcp_session"] == hash.as_str() && line["mcp_tool"] == "count");
    assert_eq!(count(&edge, "never-issued"), Err(404));
}

/// What a server that was taken away has issued is over; what the others have issued goes on.
#[test]
fn a_server_that_a_reload_takes_away_takes_its_sessions_along() {
    let _machine = light();
    let server = |number: usize| {
        let head = |status: &str| {
            let id = format!("Mcp-Session-Id: s{number}");
            format!("HTTP/1.1 {status}\r\n{id}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        };
        let end = head("405 Method Not Allowed");
        Upstream::start(Answer::Either("/end", end, head("200 OK")))
    };
    let servers: Vec<Upstream> = (0..3).map(server).collect();
    let list = |numbers: &[usize]| {
        let addresses = numbers.iter().map(|&number| servers[number].address);
        let quoted: Vec<String> = addresses.map(|address| format!("\"{address}\"")).collect();
        format!("servers = [{}]", quoted.join(", "))
    };
    let edge = Setup::new(servers[0].address)
        .upstream(&list(&[0, 1, 2]))
        .route("mcp = true")
        .start();
    let ask = |sessions: &[&str]| {
        let lines: Vec<String> = sessions
            .iter()
            .map(|id| format!("Mcp-Session-Id: {id}"))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let answer = edge
            .plain()
            .exchange(rpc("/mcp", &lines, &tool_call(1, "add")));
        let by = answer.header("mcp-session-id").map(str::to_owned);
        (answer.status, by.unwrap_or_default())
    };
    let by = |id: &str| (200, id.to_owned());
    let all = wait_until(LIMIT, || {
        ask(&[]);
        edge.metrics().sum("edge_mcp_sessions", &[]) == 3.0
    });
    assert!(all, "each of them has issued one");
    assert_eq!(
        ["s0", "s1", "s2"].map(|id| ask(&[id])),
        ["s0", "s1", "s2"].map(by)
    );
    // A server that ends no sessions at its clients' wish has not ended this one.
    let end = "DELETE /end HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: s0\r\n\r\n";
    assert_eq!(edge.plain().exchange(end).status, 405);
    assert_eq!(ask(&["s0"]), by("s0"));
    // Two are the server's to judge, and reach it as they came.
    assert_eq!(ask(&["s0", "s1"]), by("s0"));
    let received = servers[0].received().to_ascii_lowercase();
    assert!(received.contains("mcp-session-id: s1\r\n"), "{received}");

    let config = edge.config();
    edge.rewrite(&config.replace(&list(&[0, 1, 2]), &list(&[1, 2])));
    edge.reload();
    assert_eq!(ask(&["s0"]).0, 404);
    assert_eq!(["s1", "s2"].map(|id| ask(&[id])), ["s1", "s2"].map(by));
    // One that is alone knows best what it knows.
    edge.rewrite(&config.replace(&list(&[0, 1, 2]), &list(&[1])));
    edge.reload();
    assert_eq!(["s1", "s2"].map(|id| ask(&[id])), ["s1", "s1"].map(by));
}

#[test]
fn edges_that_share_a_secret_share_sessions() {
    let _machine = light();
    let servers = Stateful::start("http");
    let secrets = |list: &str| format!("[host.route.mcp]\nsession_secrets = [{list}]");
    let (old, new) = (
        format!("\"{}\"", "o".repeat(32)),
        format!("\"{}\"", "n".repeat(32)),
    );
    let first = servers.edge_with(&secrets(&old));
    // The second has a new secret already, and still knows the old one.
    let second = servers.edge_with(&secrets(&format!("{new}, {old}")));
    let mut used = HashSet::new();
    for _ in 0..12 {
        let id =
            initialize(&mut first.plain()).unwrap_or_else(|r| panic!("{} {}", r.status, r.text()));
        assert!(id.starts_with("e1."), "{id}");
        let (port, calls) = count(&first, &id).expect("known where it was made");
        assert_eq!(
            (calls, count(&second, &id)),
            (1, Ok((port, 2))),
            "known to the other"
        );
        used.insert(port);
        let last = id.len() - 1;
        let touched = format!(
            "{}{}",
            &id[..last],
            if id.ends_with('A') { 'B' } else { 'A' }
        );
        assert_eq!(count(&second, &touched), Err(404));
    }
    assert!(used.len() > 1, "all on {used:?}");
    let id =
        initialize(&mut second.plain()).unwrap_or_else(|r| panic!("{} {}", r.status, r.text()));
    assert!(count(&second, &id).is_ok());
    assert_eq!(
        count(&first, &id),
        Err(404),
        "the first does not know the new secret"
    );
    assert_eq!(
        first.metrics().sum("edge_mcp_sessions", &[]),
        0.0,
        "nothing is remembered"
    );
}

#[test]
fn the_sdks_own_clients_stay_with_their_servers_over_both_transports() {
    let _machine = light();
    for (transport, path) in [("http", "/mcp"), ("sse", "/sse")] {
        let servers = Stateful::start(transport);
        let edge = servers.edge();
        let url = format!("http://localhost:{}{path}", edge.http.port());
        let arguments = [&url, transport, "12", "4"];
        for (client, command) in [
            ("Python 1", driver(1, "mcp_sessions.py", &arguments)),
            ("Python 2", driver(2, "mcp_sessions.py", &arguments)),
            ("TypeScript", node_script("sdk_sessions.mjs", &arguments)),
        ] {
            let name = format!("{client}, {transport}");
            let result = run_driver(&name, command, Duration::from_secs(60));
            stayed(&result, &name);
            // Ended with DELETE, or with the stream.
            let none_left = || edge.metrics().sum("edge_mcp_sessions", &[]) == 0.0;
            assert!(
                wait_until(LIMIT, none_left),
                "{name}\n{}",
                edge.metrics().text
            );
        }
    }
}

/// Each session counted from one to four on one server, and there was more than one server.
fn stayed(result: &Value, name: &str) {
    let mut used = HashSet::new();
    for session in result.as_array().expect("a list") {
        let answers: Vec<&str> = session
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|a| a.as_str())
            .collect();
        let (port, _) = answers[0].split_once(':').expect("PORT:N");
        let expected: Vec<String> = (1..5).map(|n| format!("{port}:{n}")).collect();
        assert_eq!(answers, expected, "{name}");
        used.insert(port.to_owned());
    }
    assert!(used.len() > 1, "{name}: all on {used:?}");
}

#[test]
fn sessions_are_bounded_by_client() {
    let _machine = light();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nMcp-Session-Id: SESSION\r\n\r\nok";
    let upstream = Upstream::start(Answer::Keep(answer.into()));
    let route = "[host.route.mcp]\nsession_idle = \"2s\"\n[host.route.mcp.limit]\nsessions = 1";
    let edge = Setup::new(upstream.address).route(route).start();
    let begin = rpc(
        "/mcp",
        &[],
        r#"{"jsonrpc":"2.0","id":5,"method":"initialize"}"#,
    );
    assert_eq!(edge.plain().exchange(&begin).status, 200);
    let refused = edge.plain().exchange(&begin);
    assert_eq!(refused.status, 429);
    assert_eq!(
        (&refused.json()["id"], refused.header("retry-after")),
        (&5.into(), Some("5"))
    );
    // Whatever some server might take for a beginning is none, or counts as one.
    let initialize = r#"{"jsonrpc":"2.0","id":5,"method":"initialize"}"#;
    let modern = &["MCP-Protocol-Version: 2026-07-28"];
    let named = &[modern[0], "Mcp-Method: initialize"];
    for (headers, body, status) in [
        (&[][..], format!("\u{feff}{initialize}"), 400),
        (&[], format!("[{initialize}]"), 400),
        (
            &[],
            initialize.replace("\"id\"", "\"method\":\"x\",\"id\""),
            400,
        ),
        (&[], initialize.replace("\"method\"", "\"Method\""), 400),
        (&["Content-Encoding: gzip"], initialize.to_owned(), 415),
        (modern, initialize.to_owned(), 400),
        (
            &[modern[0], "Mcp-Method: tools/list"],
            initialize.to_owned(),
            400,
        ),
        (named, initialize.to_owned(), 429),
    ] {
        let refused = edge.plain().exchange(rpc("/mcp", headers, &body));
        assert_eq!(
            refused.status,
            status,
            "{headers:?} {body} {}",
            refused.text()
        );
        assert!(refused.json()["error"]["code"].is_number());
    }
    // It goes on as long as it likes; what it does not do is begin another.
    let call = rpc("/mcp", &["Mcp-Session-Id: SESSION"], &tool_call(1, "add"));
    assert_eq!(edge.plain().exchange(&call).status, 200);
    // A session that begins under a version without sessions is one all the same.
    let edge = Setup::new(upstream.address).route(route).start();
    let newer = edge.plain().exchange(rpc("/mcp", named, initialize));
    assert_eq!(newer.status, 200, "{}", newer.text());
    assert_eq!(edge.plain().exchange(&begin).status, 429);
}
