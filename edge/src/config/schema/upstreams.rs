//! Upstreams, their servers and their checks.

use super::Default::{Depends, Is, Needed, Nothing};
use super::key::key;
use super::{Kind, Schema};

pub(in crate::config) const UPSTREAM: Schema = Schema {
    title: "[upstream.NAME]",
    keys: &[
        key(
            "servers",
            Kind::List(&Kind::Any(&[Kind::Text, Kind::Table(&SERVER)])),
            Needed,
            "addresses, or tables with an address",
        ),
        key(
            "policy",
            Kind::Words(&["least_of_two", "round_robin", "hash"]),
            Is("least_of_two"),
            "which server gets a request",
        ),
        key(
            "hash_key",
            Kind::Text,
            Depends("\"address\", with \"hash\""),
            "what \"hash\" goes by: \"address\", \"path\", \"uri\", \"header:NAME\" or \"cookie:NAME\"",
        ),
        key(
            "protocol",
            Kind::Words(&["h1", "h2"]),
            Is("h1"),
            "HTTP/1.1, or HTTP/2 without asking (over TLS by ALPN)",
        ),
        key(
            "h2_connections",
            Kind::Integer(1, 64),
            Depends("8 with h2"),
            "connections of HTTP/2 per worker and server",
        ),
        key(
            "h2_streams",
            Kind::Integer(1, 1000),
            Depends("100 with h2"),
            "requests at once on each of them, if the server lets in as many",
        ),
        key(
            "proxy_protocol",
            Kind::Words(&["v1", "v2"]),
            Nothing,
            "connections begin with the PROXY protocol, and are used for one client each",
        ),
        key(
            "connect_timeout",
            Kind::Duration,
            Is("5s"),
            "for a connection",
        ),
        key(
            "send_timeout",
            Kind::Duration,
            Is("60s"),
            "for the server to take something of the request",
        ),
        key(
            "response_timeout",
            Kind::Duration,
            Is("60s"),
            "from the whole request to the response head",
        ),
        key(
            "idle_timeout",
            Kind::Duration,
            Is("60s"),
            "of connections that are kept",
        ),
        key(
            "idle_max",
            Kind::Integer(0, 100_000),
            Is("64"),
            "connections kept per worker",
        ),
        key(
            "tries",
            Kind::Integer(1, 64),
            Is("3"),
            "servers asked to accept a connection before a request fails",
        ),
        key(
            "max_connections",
            Kind::Integer(1, 1_000_000),
            Depends("no limit"),
            "in use at once per server, all workers together",
        ),
        key(
            "queue_timeout",
            Kind::Duration,
            Is("10s"),
            "how long a request waits for one of them, then 503",
        ),
        key(
            "eject_after",
            Kind::Integer(1, 1000),
            Is("3"),
            "failures in a row after which a server is left alone",
        ),
        key(
            "eject_time",
            Kind::Duration,
            Is("5s"),
            "for so long, doubled each time",
        ),
        key(
            "eject_time_max",
            Kind::Duration,
            Is("60s"),
            "up to this long",
        ),
        key(
            "slow_start",
            Kind::Duration,
            Is("0s"),
            "how long a server that is back gets less than its share",
        ),
        key(
            "resolve",
            Kind::DURATION_OR_OFF,
            Is("30s"),
            "names are looked up again this often",
        ),
        key(
            "tls",
            Kind::Table(&UPSTREAM_TLS),
            Nothing,
            "of servers written https://",
        ),
        key(
            "check",
            Kind::Table(&CHECK),
            Nothing,
            "health checks; without it nobody asks",
        ),
    ],
};

pub(in crate::config) const SERVER: Schema = Schema {
    title: "[upstream.NAME.servers]",
    keys: &[
        key(
            "address",
            Kind::Text,
            Needed,
            "address and port, or unix: and a path",
        ),
        key(
            "weight",
            Kind::Integer(1, 1000),
            Is("1"),
            "share of the work",
        ),
        key(
            "backup",
            Kind::Flag,
            Is("false"),
            "asked when all others are out",
        ),
    ],
};

pub(in crate::config) const CHECK: Schema = Schema {
    title: "[upstream.NAME.check]",
    keys: &[
        key("path", Kind::Text, Is("/"), "what is asked for"),
        key(
            "host",
            Kind::Text,
            Depends("the server's address"),
            "the host it is asked for",
        ),
        key(
            "status",
            Kind::Integer(200, 599),
            Depends("any 2xx or 3xx"),
            "that means it is well",
        ),
        key("interval", Kind::Duration, Is("5s"), "between two checks"),
        key("timeout", Kind::Duration, Is("2s"), "of a check"),
        key(
            "healthy",
            Kind::Integer(1, 100),
            Is("2"),
            "good checks in a row until it is back",
        ),
        key(
            "unhealthy",
            Kind::Integer(1, 100),
            Is("3"),
            "bad checks in a row until it is out",
        ),
    ],
};

pub(in crate::config) const UPSTREAM_TLS: Schema = Schema {
    title: "[upstream.NAME.tls]",
    keys: &[
        key(
            "name",
            Kind::Text,
            Depends("that of each server's address"),
            "asked for, and looked for in certificates",
        ),
        key(
            "ca",
            Kind::Text,
            Depends("the authorities that the machine trusts"),
            "PEM file of the authorities that are trusted",
        ),
        key(
            "certificate",
            Kind::Text,
            Nothing,
            "chain in a PEM file, shown to servers that ask",
        ),
        key("key", Kind::Text, Nothing, "its private key in a PEM file"),
        key(
            "insecure",
            Kind::Flag,
            Is("false"),
            "believe whoever answers: no name and no authority is looked at",
        ),
    ],
};
