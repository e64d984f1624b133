//! The top of the file, and the sections about the process.

use super::Default::{Depends, Is, Needed, Nothing};
use super::hosts::WORKED_ON;
use super::key::key;
use super::{HOST, Kind, LIMIT, LIMITS, SHIELD, Schema, UPSTREAM};
use crate::config::LogField;

pub(in crate::config) const TOP: Schema = Schema {
    title: "",
    keys: &[
        key(
            "workers",
            Kind::Integer(1, 256),
            Depends("one per CPU"),
            "threads that serve",
        ),
        key(
            "user",
            Kind::Text,
            Is("nobody"),
            "account to become after start when started as root",
        ),
        key("listen", Kind::Table(&LISTEN), Is(""), "addresses"),
        key(
            "forwarding",
            Kind::Table(&FORWARDING),
            Is(""),
            "proxies in front, and what upstreams are told",
        ),
        key("tls", Kind::Table(&TLS), Is(""), "TLS of all hosts"),
        key("quic", Kind::Table(&QUIC), Is(""), "HTTP/3"),
        key("timeouts", Kind::Table(&TIMEOUTS), Is(""), "deadlines"),
        key("bounds", Kind::Table(&BOUNDS), Is(""), "sizes and counts"),
        key("limit", Kind::Table(&LIMIT), Is(""), "requests per client"),
        key(
            "limits",
            Kind::Named(&LIMITS),
            Nothing,
            "limits that hosts and routes choose",
        ),
        key(
            "maintenance",
            WORKED_ON,
            Is("false"),
            "requests for any host are answered 503",
        ),
        key("shield", Kind::Table(&SHIELD), Is(""), "the kernel program"),
        key("log", Kind::Table(&LOG), Is(""), "the access log"),
        key(
            "trace",
            Kind::Table(&TRACE),
            Nothing,
            "spans of OpenTelemetry",
        ),
        key("metrics", Kind::Table(&METRICS), Is(""), "the metrics page"),
        key("admin", Kind::Table(&ADMIN), Is(""), "the admin socket"),
        key("upstream", Kind::Named(&UPSTREAM), Nothing, "servers"),
        key(
            "host",
            Kind::Tables(&HOST),
            Depends("one at least"),
            "hosts",
        ),
    ],
};

pub(in crate::config) const LISTEN: Schema = Schema {
    title: "[listen]",
    keys: &[
        key(
            "https",
            Kind::TEXTS,
            Depends("[::]:443 when any host has a certificate, else none"),
            "addresses of HTTPS",
        ),
        key(
            "quic",
            Kind::Any(&[Kind::TEXTS, Kind::OFF]),
            Depends("the addresses of https"),
            "UDP addresses of HTTP/3",
        ),
        key(
            "http",
            Kind::TEXTS,
            Is("[\"[::]:80\"]"),
            "addresses of plain HTTP",
        ),
        key(
            "proxy_protocol",
            Kind::TEXTS,
            Is("[]"),
            "those of the addresses on which trusted proxies send a PROXY protocol header",
        ),
        key(
            "redirect",
            Kind::Flag,
            Depends("true when https is not empty"),
            "plain HTTP redirects to HTTPS",
        ),
        key(
            "unknown_host",
            Kind::Words(&["421", "close"]),
            Is("421"),
            "what a request for a host that is not here gets",
        ),
        key(
            "steer",
            Kind::Words(&["auto", "cpu", "hash"]),
            Is("auto"),
            "how connections come to workers",
        ),
    ],
};

pub(in crate::config) const QUIC: Schema = Schema {
    title: "[quic]",
    keys: &[
        key(
            "retry",
            Kind::Words(&["auto", "always", "off"]),
            Is("auto"),
            "whether new clients prove their address first",
        ),
        key(
            "retry_above",
            Kind::Integer(0, 1024),
            Is("100"),
            "handshakes under way per worker beyond which \"auto\" asks for proof",
        ),
        key(
            "idle_timeout",
            Kind::Duration,
            Is("60s"),
            "a client that gives no sign of life for so long is gone",
        ),
        key(
            "keep_alive",
            Kind::DURATION_OR_OFF,
            Is("20s"),
            "how often a quiet client is asked for a sign of life",
        ),
        key(
            "early_data",
            Kind::Flag,
            Is("false"),
            "whether there is early data (0-RTT) at all",
        ),
        key(
            "alt_svc",
            Kind::DURATION_OR_OFF,
            Is("1d"),
            "how long clients remember that there is HTTP/3",
        ),
        key(
            "alt_svc_port",
            Kind::Integer(1, 65535),
            Depends("the port of the first address of quic"),
            "the port that clients are told",
        ),
        key(
            "offload",
            Kind::Flag,
            Is("true"),
            "whether several datagrams go and come in one call",
        ),
    ],
};

pub(in crate::config) const FORWARDING: Schema = Schema {
    title: "[forwarding]",
    keys: &[
        key(
            "trusted",
            Kind::TEXTS,
            Is("[]"),
            "networks of the proxies in front",
        ),
        key(
            "client_field",
            Kind::Words(&["X-Forwarded-For", "Forwarded", "X-Real-IP"]),
            Is("X-Forwarded-For"),
            "where those proxies name the client",
        ),
        key(
            "forwarded",
            Kind::Flag,
            Is("false"),
            "upstreams get Forwarded (RFC 7239)",
        ),
        key(
            "traceparent",
            Kind::Flag,
            Is("false"),
            "requests without a trace get a W3C traceparent",
        ),
    ],
};

pub(in crate::config) const TLS: Schema = Schema {
    title: "[tls]",
    keys: &[key(
        "min_version",
        Kind::Words(&["1.2", "1.3"]),
        Is("1.2"),
        "the oldest version of TLS",
    )],
};

pub(in crate::config) const TIMEOUTS: Schema = Schema {
    title: "[timeouts]",
    keys: &[
        key(
            "handshake",
            Kind::Duration,
            Is("10s"),
            "for a TLS handshake",
        ),
        key("head", Kind::Duration, Is("10s"), "for a request head"),
        key(
            "body",
            Kind::Duration,
            Is("60s"),
            "silence within a request body",
        ),
        key(
            "idle",
            Kind::Duration,
            Is("75s"),
            "between two requests of a connection",
        ),
        key(
            "send",
            Kind::Duration,
            Is("60s"),
            "for a client to take something",
        ),
        key(
            "websocket_idle",
            Kind::Duration,
            Is("1h"),
            "no byte either way of a WebSocket",
        ),
        key(
            "websocket_age",
            Kind::Duration,
            Is("1d"),
            "of a WebSocket, then it is closed",
        ),
        key(
            "drain",
            Kind::Duration,
            Is("30s"),
            "for what is under way at the end or a reload",
        ),
    ],
};

pub(in crate::config) const BOUNDS: Schema = Schema {
    title: "[bounds]",
    keys: &[
        key("head", Kind::Size, Is("32KiB"), "of a message head"),
        key(
            "head_fields",
            Kind::Integer(8, 256),
            Is("100"),
            "fields of a head",
        ),
        key(
            "buffer",
            Kind::Size,
            Is("64KiB"),
            "waiting in one direction of an exchange",
        ),
        key(
            "cache",
            Kind::Size,
            Is("64MiB"),
            "stored answers of all routes",
        ),
        key(
            "connections",
            Kind::Integer(1, 1_000_000),
            Is("65536"),
            "of clients",
        ),
        key(
            "connections_per_address",
            Kind::Any(&[Kind::Integer(1, 65_535), Kind::OFF]),
            Is("16384"),
            "of one client, TCP and QUIC together, over all workers",
        ),
        key(
            "connections_exempt",
            Kind::TEXTS,
            Is("[]"),
            "networks that have no such bound",
        ),
        key(
            "streams",
            Kind::Integer(1, 10_000),
            Is("128"),
            "of a connection at once",
        ),
        key(
            "requests_per_connection",
            Kind::Integer(1, 1_000_000_000),
            Is("10000"),
            "after which a connection is closed",
        ),
        key(
            "body_rate",
            Kind::SIZE_OR_OFF,
            Is("100"),
            "bytes a second of a request body, over 10 s",
        ),
    ],
};

pub(in crate::config) const LOG: Schema = Schema {
    title: "[log]",
    keys: &[
        key(
            "access",
            Kind::Text,
            Is("stdout"),
            "\"off\", \"stdout\" or a path",
        ),
        key(
            "format",
            Kind::Words(&["json", "combined"]),
            Is("json"),
            "of lines",
        ),
        key(
            "fields",
            Kind::List(&Kind::WordsOf(log_fields)),
            Depends("all of them"),
            "of JSON lines",
        ),
        key(
            "sample",
            Kind::Integer(1, 1_000_000),
            Is("1"),
            "a line for one in so many exchanges below status 400",
        ),
    ],
};

fn log_fields() -> Vec<&'static str> {
    LogField::ALL.iter().map(|(name, _)| *name).collect()
}

pub(in crate::config) const TRACE: Schema = Schema {
    title: "[trace]",
    keys: &[
        key(
            "endpoint",
            Kind::Text,
            Needed,
            "where a collector takes OTLP over HTTP",
        ),
        key(
            "sample",
            Kind::Integer(1, 1_000_000),
            Is("1"),
            "one trace in so many of those that nobody has decided on",
        ),
        key(
            "service",
            Kind::Text,
            Is("edge"),
            "the name of the service in the spans",
        ),
    ],
};

pub(in crate::config) const METRICS: Schema = Schema {
    title: "[metrics]",
    keys: &[key(
        "listen",
        Kind::Text,
        Is("127.0.0.1:9900"),
        "address of the page, or \"off\"",
    )],
};

pub(in crate::config) const ADMIN: Schema = Schema {
    title: "[admin]",
    keys: &[key(
        "socket",
        Kind::Text,
        Is("/run/edge/admin.sock"),
        "path of the socket",
    )],
};
