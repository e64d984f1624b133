//! Groups of servers: who gets a request, and what happens when a server goes, comes back or moves.

mod bounds;
mod failing;
mod moving;
mod named;
mod reused;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::support::{Client, Edge, Setup, free_port, light, wait_until};
use named::Named;

const LIMIT: Duration = Duration::from_secs(10);

/// GETs on connections of their own; how many each server has answered, by its name.
fn ask(edge: &Edge, count: usize, fields: &str) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..count {
        *answers.entry(who(&mut edge.plain(), fields)).or_insert(0) += 1;
    }
    answers
}

/// Who answers a GET: the server's name, or the status of an answer that is not one of theirs.
fn who(client: &mut Client, fields: &str) -> String {
    let response = client.exchange(format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n"
    ));
    match response.status {
        200 => response.text(),
        status => status.to_string(),
    }
}

fn count(answers: &BTreeMap<String, usize>, name: &str) -> usize {
    answers.get(name).copied().unwrap_or_default()
}

#[test]
fn shares_follow_weights() {
    let _machine = light();
    let (one, three) = (Named::start("one"), Named::start("three"));
    for policy in ["least_of_two", "round_robin"] {
        let edge = Setup::new(one.address)
            .upstream(&format!(
                "servers = [\"{}\", {{ address = \"{}\", weight = 3 }}]\npolicy = \"{policy}\"",
                one.address, three.address
            ))
            .start();
        let answers = ask(&edge, 400, "");
        let share = count(&answers, "three");
        // Of 400 with 3 of 4: five standard deviations are 43.
        assert!((257..=343).contains(&share), "{policy}: {answers:?}");
        assert_eq!(share + count(&answers, "one"), 400, "{policy}: {answers:?}");
    }
}

#[test]
fn a_hash_keeps_clients_where_they_are() {
    let _machine = light();
    let names = ["a", "b", "c"];
    let mut servers = names.map(Named::start);
    let list: Vec<String> = servers
        .iter()
        .map(|server| format!("\"{}\"", server.address))
        .collect();
    let edge = Setup::new(servers[0].address)
        .upstream(&format!(
            "servers = [{}]\npolicy = \"hash\"\nhash_key = \"header:X-User\"\neject_time = \"10s\"",
            list.join(", ")
        ))
        .start();
    let home = |user: usize| {
        let answers = ask(&edge, 3, &format!("X-User: u{user}\r\n"));
        assert_eq!(answers.len(), 1, "user {user} moves about: {answers:?}");
        answers.into_keys().next().expect("there is one")
    };
    let before: Vec<String> = (0..30).map(home).collect();
    for name in names {
        assert!(before.iter().any(|home| home == name), "{name} has nobody");
    }
    servers[0].stop();
    let after: Vec<String> = (0..30).map(home).collect();
    for (user, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_ne!(after, "a");
        assert!(before == "a" || before == after, "user {user} has moved");
    }
    // Without the field it is the address that counts, and all come from one.
    assert_eq!(ask(&edge, 10, "").len(), 1);
}

#[test]
fn a_hash_of_what_is_asked_for() {
    let _machine = light();
    let servers = ["a", "b", "c"].map(Named::start);
    let list: Vec<String> = servers
        .iter()
        .map(|server| format!("\"{}\"", server.address))
        .collect();
    let homes = |key: &str, request: &dyn Fn(usize) -> (String, String)| {
        let edge = Setup::new(servers[0].address)
            .top("workers = 2")
            .upstream(&format!(
                "servers = [{}]\npolicy = \"hash\"\nhash_key = \"{key}\"",
                list.join(", ")
            ))
            .start();
        let home = |n| {
            let (target, fields) = request(n);
            let get = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
            let [first, second] = [(); 2].map(|()| edge.plain().exchange(&*get).text());
            assert_eq!(first, second, "{key}: {target} moves about");
            first
        };
        (0..30).map(home).collect::<BTreeSet<_>>().len()
    };
    let query = |n| (format!("/same?{n}"), String::new());
    let path = |n| (format!("/{n}?x"), String::new());
    let cookie = |n| (format!("/{n}"), format!("Cookie: a=b; sid=u{n}\r\n"));
    let session = |n| (format!("/{n}"), format!("Mcp-Session-Id: u{n}\r\n"));
    assert_eq!(homes("uri", &query), 3);
    assert_eq!(homes("path", &query), 1);
    assert_eq!(homes("path", &path), 3);
    assert_eq!(homes("cookie:sid", &cookie), 3);
    assert_eq!(homes("cookie:a", &cookie), 1);
    assert_eq!(homes("header:Mcp-Session-Id", &session), 3);
    assert_eq!(homes("address", &path), 1);
}

#[test]
fn connections_are_limited_over_all_workers() {
    let _machine = light();
    let slow = Named::start_slow("slow", Duration::from_millis(200));
    let edge = Setup::new(slow.address)
        .top("workers = 2")
        .upstream(&format!(
            "servers = [\"{}\"]\nmax_connections = 2\nqueue_timeout = \"5s\"",
            slow.address
        ))
        .more_routes("[[host.route]]\npath = \"/short\"\nupstream = \"short\"\n")
        .section(
            "upstream.short",
            &format!(
                "servers = [\"{}\"]\nmax_connections = 1\nqueue_timeout = \"50ms\"",
                slow.address
            ),
        )
        .start();
    let all_at_once = |count: usize, path: &'static str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| edge.plain().exchange(&request).status))
                .collect();
            running
                .into_iter()
                .map(|thread| thread.join().expect("it does not panic"))
                .collect::<Vec<u16>>()
        })
    };
    let start = std::time::Instant::now();
    assert_eq!(all_at_once(10, "/"), [200; 10]);
    // Ten of 200 ms, two at a time.
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(slow.most_at_once(), 2);
    let statuses = all_at_once(4, "/short");
    assert!(
        statuses.contains(&200) && statuses.contains(&503),
        "{statuses:?}"
    );
    edge.log_line(|line| line["error"] == "upstream_full" && line["status"] == 503);
    let full = edge
        .metrics()
        .sum("edge_upstream_errors_total", &["reason=\"full\""]);
    assert!(full >= 1.0);
}

#[test]
fn a_backup_is_for_emergencies() {
    let _machine = light();
    let mut first = Named::start("first");
    let spare = Named::start("spare");
    let edge = Setup::new(first.address)
        .upstream(&format!(
            "servers = [\"{}\", {{ address = \"{}\", backup = true, weight = 100 }}]\n\
             eject_time = \"300ms\"",
            first.address, spare.address
        ))
        .start();
    assert_eq!(count(&ask(&edge, 30, ""), "first"), 30);
    first.stop();
    assert_eq!(count(&ask(&edge, 30, ""), "spare"), 30);
    first.restart();
    assert!(wait_until(LIMIT, || count(&ask(&edge, 1, ""), "first") == 1));
    assert_eq!(count(&ask(&edge, 30, ""), "first"), 30);
}

#[test]
fn when_nobody_is_well_everybody_is_asked() {
    let _machine = light();
    let servers: Vec<String> = (0..3)
        .map(|_| format!("\"127.0.0.1:{}\"", free_port()))
        .collect();
    let mut last = Named::start("last");
    last.stop();
    let edge = Setup::new(last.address)
        .upstream(&format!(
            "servers = [{}, \"{}\"]\ntries = 4\neject_time = \"1h\"\neject_time_max = \"1h\"",
            servers.join(", "),
            last.address
        ))
        .start();
    assert_eq!(count(&ask(&edge, 3, ""), "502"), 3);
    let ejected = || edge.metrics().sum("edge_server_ejected", &[]);
    assert_eq!(ejected(), 4.0);
    // All of them are out for an hour, and one of them is back.
    last.restart();
    assert_eq!(count(&ask(&edge, 5, ""), "last"), 5);
}
