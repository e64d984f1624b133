//! A configuration for the tests of this plane: two hosts, three routes, two upstreams.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{
    Action, Bounds, Config, Ejection, Forwarding, Host, HostName, Listen, Log, LogTarget,
    PerAddress, Policy, Protocol, ProxyAction, Quic, RetryPolicy, Route, Shield, ShieldMode,
    Timeouts, Tls, Upstream, UpstreamAddr, UpstreamId, UpstreamServer,
};

pub(crate) fn config() -> Config {
    let timeout = Duration::from_secs(10);
    Config {
        workers: 2,
        user: None,
        listen: Listen::default(),
        forwarding: Forwarding::default(),
        hosts: vec![
            Host {
                names: vec![HostName::Exact("mcp.example.com".into()), HostName::Any],
                certificate: None,
                http3: true,
                routes: vec![route("/", 1), route("/mcp", 0)],
                ..Host::default()
            },
            Host {
                names: vec![HostName::Wildcard("example.com".into())],
                certificate: None,
                http3: true,
                routes: vec![route("/", 1)],
                ..Host::default()
            },
        ],
        upstreams: vec![upstream("tools", 8000), upstream("web", 8001)],
        tls: Tls::default(),
        timeouts: Timeouts {
            handshake: timeout,
            head: timeout,
            body: timeout,
            idle: timeout,
            send: timeout,
            websocket_idle: Duration::from_secs(3600),
            websocket_age: Duration::from_secs(86_400),
            drain: timeout,
        },
        bounds: Bounds {
            head_bytes: 32 * 1024,
            head_fields: 100,
            buffer_bytes: 64 * 1024,
            cache_bytes: 1024 * 1024,
            connections: 1024,
            streams: 128,
            requests_per_connection: 1000,
            body_rate: None,
        },
        per_address: PerAddress::default(),
        quic: Quic {
            retry: RetryPolicy::Auto,
            retry_above: 100,
            idle_timeout: timeout,
            keep_alive: None,
            early_data: false,
            alt_svc: None,
            alt_svc_port: None,
            offload: true,
        },
        limit: None,
        penalty: None,
        shield: Shield {
            mode: ShieldMode::Off,
            ..Shield::default()
        },
        trace: None,
        log: Log {
            access: LogTarget::Off,
            ..Log::default()
        },
        metrics: None,
        admin: PathBuf::from("/run/edge/admin.sock"),
        included: Vec::new(),
    }
}

fn route(path: &str, upstream: usize) -> Route {
    let action = ProxyAction::to(UpstreamId(upstream));
    Route::for_prefix(path, Action::Proxy(action))
}

fn upstream(name: &str, port: u16) -> Upstream {
    let timeout = Duration::from_secs(10);
    Upstream {
        name: name.into(),
        servers: vec![UpstreamServer {
            name: None,
            addresses: vec![UpstreamAddr::Tcp(([127, 0, 0, 1], port).into())],
            weight: 1,
            backup: false,
            tls: false,
        }],
        policy: Policy::LeastOfTwo,
        connect_timeout: timeout,
        send_timeout: timeout,
        response_timeout: timeout,
        idle_timeout: timeout,
        idle_max: 64,
        tries: 3,
        max_connections: None,
        queue_timeout: timeout,
        ejection: Ejection {
            after: 3,
            time: timeout,
            time_max: timeout,
        },
        slow_start: Duration::ZERO,
        resolve: None,
        check: None,
        protocol: Protocol::H1,
        proxy_protocol: None,
        tls: None,
    }
}
