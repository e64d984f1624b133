//! Hosts that are being worked on.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::support::{Client, Setup, Upstream, light, wait_until};

#[test]
fn a_file_closes_the_house_to_all_but_some() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    std::fs::write(setup.dir.path().join("503.html"), "<h1>back soon</h1>").expect("our own");
    let edge = setup
        .section(
            "maintenance",
            "file = \"closed\"\nexempt = [\"127.0.0.9\"]\nretry_after = \"2m\"",
        )
        .hosts(
            "[[host]]\nnames = [\"open.localhost\"]\nmaintenance = false\n\
             [[host.route]]\nupstream = \"origin\"\n\
             [[host]]\nnames = [\"shut.localhost\"]\nmaintenance = true\n\
             error_pages = [\"503: 503.html\"]\n[[host.route]]\nupstream = \"origin\"\n",
        )
        .start();
    let get = |host: &str, path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut client = edge.plain();
    let mut status = |host: &str| client.exchange(get(host, "/x")).status;
    assert_eq!(
        [
            status("localhost"),
            status("open.localhost"),
            status("shut.localhost")
        ],
        [200, 200, 503]
    );
    std::fs::write(edge.file("closed"), "").expect("our own directory");
    assert!(wait_until(Duration::from_secs(20), || status("localhost") == 503));
    assert_eq!(status("open.localhost"), 200);

    let closed = edge.plain().exchange(get("localhost", "/x"));
    assert_eq!(closed.header("retry-after"), Some("120"));
    let shut = edge.plain().exchange(get("shut.localhost", "/nowhere"));
    assert_eq!(shut.header("retry-after"), Some("300"));
    assert_eq!(shut.text(), "<h1>back soon</h1>");
    let challenge = get("localhost", "/.well-known/acme-challenge/x");
    assert_eq!(
        edge.plain().exchange(challenge).status,
        200,
        "certificates go on"
    );
    edge.log_line(|line| line["status"] == 503 && line["error"] == "maintenance");
    let worker = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
    let mut exempt =
        Client::plain_from(worker, edge.http, Duration::from_secs(5)).expect("it listens");
    assert_eq!(exempt.exchange(get("localhost", "/x")).status, 200);

    std::fs::remove_file(edge.file("closed")).expect("it is there");
    let mut status = |host: &str| client.exchange(get(host, "/x")).status;
    assert!(wait_until(Duration::from_secs(20), || status("localhost") == 200));
}

#[test]
fn it_is_switched_by_hand_and_a_reload_changes_nothing_about_it() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .hosts(
            "[[host]]\nnames = [\"a.test\", \"b.test\"]\n[[host.route]]\nupstream = \"origin\"\n\
             [[host]]\nnames = [\"shut.test\"]\nmaintenance = { retry_after = \"9s\" }\n\
             [[host.route]]\nupstream = \"origin\"\n",
        )
        .start();
    let get = |host: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        edge.plain().exchange(request)
    };
    let are = |expected: [u16; 3]| {
        let status = || ["localhost", "b.test", "shut.test"].map(|host| get(host).status);
        let is_so = wait_until(Duration::from_secs(20), || status() == expected);
        assert!(is_so, "{:?} instead of {expected:?}", status());
    };
    let switch = |arguments: &[&str]| {
        let all = [&["maintenance"], arguments].concat();
        let (code, said) = edge.command(&all);
        assert_eq!(code, 0, "{said}");
        said.trim().to_owned()
    };
    are([200, 200, 503]);
    assert_eq!(switch(&[]), "maintenance is as configured");
    assert_eq!(
        switch(&["on", "--host", "a.test"]),
        "maintenance is as configured\na.test: on"
    );
    are([200, 503, 503]);
    assert_eq!(get("a.test").header("retry-after"), Some("300"));
    edge.reload();
    are([200, 503, 503]);
    assert_eq!(switch(&["on"]), "maintenance is on");
    are([503, 503, 503]);
    switch(&["off", "--host", "shut.test"]);
    are([503, 503, 200]);
    assert_eq!(switch(&["off"]), "maintenance is off");
    are([200, 200, 200]);
    assert_eq!(switch(&["auto"]), "maintenance is as configured");
    are([200, 200, 503]);
    assert_eq!(get("shut.test").header("retry-after"), Some("9"));
    let (code, said) = edge.command(&["maintenance", "on", "--host", "c.test"]);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("no [[host]] has the name \"c.test\""),
        "{said}"
    );
    let (code, said) = edge.command(&["maintenance", "--host", "a.test"]);
    assert_eq!(code, 2, "{said}");
}
