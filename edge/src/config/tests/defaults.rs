//! Defaults, and values that stand for several others.

use std::time::Duration;

use super::super::{Action, LogTarget, Policy, ProxyAction, Route, ShieldMode, UpstreamAddr};
use super::document::example;
use super::support::{MINIMAL, load};

/// The action of a route that proxies.
pub(super) fn proxy(route: &Route) -> &ProxyAction {
    match &route.action {
        Action::Proxy(action) => action,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_example_calls_a_default_is_the_default() {
    let shown = load(example()).unwrap().config;
    let default = load(MINIMAL).unwrap().config;
    let same = |shown: &dyn std::fmt::Debug, default: &dyn std::fmt::Debug| {
        assert_eq!(format!("{shown:?}"), format!("{default:?}"));
    };
    same(&shown.timeouts, &default.timeouts);
    same(&shown.forwarding, &default.forwarding);
    same(&shown.bounds, &default.bounds);
    same(&shown.limit, &default.limit);
    same(&shown.penalty, &default.penalty);
    same(&shown.shield.mode, &default.shield.mode);
    same(&shown.shield.connections, &default.shield.connections);
    same(&shown.shield.initials, &default.shield.initials);
    same(
        &shown.shield.new_connections,
        &default.shield.new_connections,
    );
    same(&shown.shield.fragments, &default.shield.fragments);
    same(&shown.shield.allow, &default.shield.allow);
    same(&shown.shield.deny, &default.shield.deny);
    same(&shown.shield.only, &default.shield.only);
    same(&shown.shield.monitor, &default.shield.monitor);
    same(&shown.shield.ipv6_prefix, &default.shield.ipv6_prefix);
    same(&shown.shield.required, &default.shield.required);
    same(&shown.log, &default.log);
    same(&shown.metrics, &default.metrics);
    same(&shown.admin, &default.admin);
    same(
        &proxy(&shown.hosts[0].routes[0]).keep_alive,
        &proxy(&default.hosts[0].routes[0]).keep_alive,
    );
    let (shown, inline) = (&shown.upstreams[0], &default.upstreams[0]);
    same(&shown.servers[1].weight, &inline.servers[0].weight);
    same(&shown.servers[1].backup, &inline.servers[0].backup);
    same(&shown.connect_timeout, &inline.connect_timeout);
    same(&shown.send_timeout, &inline.send_timeout);
    same(&shown.tries, &inline.tries);
    same(&shown.queue_timeout, &inline.queue_timeout);
    same(&shown.ejection, &inline.ejection);
    same(&shown.slow_start, &inline.slow_start);
    same(&shown.resolve, &inline.resolve);
    same(&shown.response_timeout, &inline.response_timeout);
    same(&shown.idle_timeout, &inline.idle_timeout);
    same(&shown.idle_max, &inline.idle_max);
}

#[test]
fn defaults_that_the_example_only_mentions() {
    let config = load(MINIMAL).unwrap().config;
    assert_eq!(config.workers, 4);
    assert_eq!(config.user.as_deref(), Some("nobody"));
    assert_eq!(config.listen.https, []);
    assert_eq!(config.listen.http, ["[::]:80".parse().unwrap()]);
    assert!(!config.listen.redirect);
    let packets = config.shield.packets.unwrap();
    assert_eq!((packets.per_sec, packets.burst), (50_000.0, 100_000));
    assert_eq!(config.shield.interfaces, [""; 0]);
    assert_eq!(config.shield.mode, ShieldMode::Auto);
    assert_eq!(config.log.access, LogTarget::Stdout);
    let inline = &config.upstreams[0];
    assert_eq!(inline.policy, Policy::LeastOfTwo);
    assert_eq!(inline.max_connections, None);
    assert_eq!(inline.check, None);
    assert_eq!(config.hosts[0].routes[0].path, "/");

    let with_certificate =
        MINIMAL.replace("names", "certificate = \"c.pem\"\nkey = \"k.pem\"\nnames");
    let config = load(&with_certificate).unwrap().config;
    assert_eq!(config.listen.https, ["[::]:443".parse().unwrap()]);
    assert!(config.listen.redirect);
}

#[test]
fn every_off() {
    let config = load(
        r#"
[[host]]
names = ["*"]
[[host.route]]
upstream = "unix:mcp.sock"
keep_alive = "off"
[limit]
requests = "off"
[shield]
mode = "off"
packets = "off"
connections = "off"
[log]
access = "off"
[metrics]
listen = "off"
"#,
    )
    .unwrap()
    .config;
    assert_eq!(proxy(&config.hosts[0].routes[0]).keep_alive, None);
    assert!(config.limit.is_none());
    assert_eq!(config.shield.mode, ShieldMode::Off);
    assert!(config.shield.packets.is_none() && config.shield.connections.is_none());
    assert_eq!(config.log.access, LogTarget::Off);
    assert_eq!(config.metrics, None);
    assert_eq!(
        config.upstreams[0].servers[0].addresses,
        [UpstreamAddr::Unix("mcp.sock".into())]
    );

    let config = load(&format!("{MINIMAL}[limit.penalty]\nban = \"off\"\n"))
        .unwrap()
        .config;
    assert_eq!(config.penalty, None);
}

#[test]
fn a_burst_follows_its_rate() {
    let burst = |limit: &str| {
        let config = load(&format!("{MINIMAL}[limit]\n{limit}\n"))
            .unwrap()
            .config;
        config.limit.unwrap().rate.burst
    };
    assert_eq!(burst("requests = \"500/s\""), 1000);
    assert_eq!(burst("requests = \"30/m\""), 10);
    assert_eq!(burst("requests = \"10000000/s\""), 1_000_000);
    assert_eq!(burst("requests = \"30/m\"\nburst = 1"), 1);
}

#[test]
fn one_server_written_twice_is_one_upstream() {
    let config = load(
        r#"
[[host]]
names = ["a.example", "*.b.example"]
[[host.route]]
upstream = "http://localhost:8000"
[[host.route]]
path = "/mcp"
upstream = "127.0.0.1:8000"
keep_alive = "1m"
[[host.route]]
path = "/tools"
upstream = "tools"
[upstream.tools]
servers = ["127.0.0.1:8001", "127.0.0.1:8002"]
"#,
    )
    .unwrap()
    .config;
    let [host] = &config.hosts[..] else {
        panic!("one host")
    };
    let [first, second] = [0, 1].map(|n| proxy(&host.routes[n]));
    assert_eq!(first.upstream, second.upstream);
    assert_eq!(second.keep_alive, Some(Duration::from_secs(60)));
    assert_eq!(config.upstreams.len(), 2);
    assert_eq!(config.upstreams[0].name, "tools");
    assert_eq!(config.upstreams[1].name, "127.0.0.1:8000");
    assert_eq!(config.summary(), "1 host, 3 routes, 2 upstreams");
}
