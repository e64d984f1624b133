//! Limits of clients, in user space and in the kernel.

use super::Default::{Depends, Is, Nothing};
use super::key::key;
use super::{Kind, Schema};

const WEIGHT: Kind = Kind::Integer(0, 1_000_000);
const EARNED: super::Default = Depends("two seconds of the rate, at least 10");
const AT_ONCE: Kind = Kind::Any(&[Kind::Integer(1, 65_535), Kind::OFF]);

pub(in crate::config) const LIMIT: Schema = Schema {
    title: "[limit]",
    keys: &[
        key(
            "requests",
            Kind::RATE_OR_OFF,
            Is("100/s"),
            "per client address (IPv6: per /64)",
        ),
        key("burst", Kind::BURST, EARNED, "requests at once"),
        key(
            "penalty",
            Kind::Table(&PENALTY),
            Is(""),
            "offences become a ban in the kernel",
        ),
    ],
};

pub(in crate::config) const PENALTY: Schema = Schema {
    title: "[limit.penalty]",
    keys: &[
        key(
            "refused",
            Kind::BURST,
            Is("100"),
            "so many requests after 429",
        ),
        key("within", Kind::Duration, Is("60s"), "within this time"),
        key(
            "ban",
            Kind::DURATION_OR_OFF,
            Is("10m"),
            "ban the address for so long",
        ),
        key(
            "ban_max",
            Kind::Duration,
            Depends("1d, or `ban` if that is longer"),
            "each further ban lasts twice as long, up to this",
        ),
        key(
            "forget",
            Kind::Duration,
            Is("1d"),
            "so long after a ban its address starts anew",
        ),
        key(
            "handshake",
            WEIGHT,
            Is("2"),
            "what a TLS handshake that fails counts",
        ),
        key(
            "malformed",
            WEIGHT,
            Is("5"),
            "a request that breaks the protocol",
        ),
        key(
            "smuggling",
            WEIGHT,
            Is("25"),
            "a message framed in two ways",
        ),
        key("oversize", WEIGHT, Is("5"), "a head beyond the bounds"),
        key("resets", WEIGHT, Is("25"), "streams reset in bulk"),
        key(
            "auth",
            WEIGHT,
            Is("5"),
            "a request that fails to authenticate",
        ),
    ],
};

pub(in crate::config) const LIMITS: Schema = Schema {
    title: "[limits.NAME]",
    keys: &[
        key(
            "key",
            Kind::Text,
            Is("address"),
            "\"address\", \"token\", \"user\", \"everybody\", \"claim:NAME\", \"header:NAME\" or \"cookie:NAME\"",
        ),
        key("requests", Kind::RATE_OR_OFF, Nothing, "per key"),
        key("burst", Kind::BURST, EARNED, "requests at once").with("requests"),
        key(
            "delay",
            Kind::DURATION_OR_OFF,
            Is("off"),
            "who is over the rate waits up to this long",
        )
        .with("requests"),
        key("concurrent", AT_ONCE, Nothing, "requests at once"),
        key(
            "streams",
            AT_ONCE,
            Nothing,
            "event streams and WebSockets at once",
        ),
        key(
            "opens",
            Kind::RATE_OR_OFF,
            Nothing,
            "event streams and WebSockets opened",
        ),
        key("opens_burst", Kind::BURST, EARNED, "opened at once").with("opens"),
        key(
            "shared",
            Kind::Flag,
            Is("false"),
            "one count for all routes that name it",
        ),
        key(
            "dry_run",
            Kind::Flag,
            Is("false"),
            "nobody is refused, the log says who would have been",
        ),
        key(
            "headers",
            Kind::Flag,
            Is("false"),
            "admitted clients are told what is left",
        )
        .with("requests"),
        key(
            "exempt",
            Kind::TEXTS,
            Is("[]"),
            "networks that are not counted",
        ),
    ],
};

pub(in crate::config) const SHIELD: Schema = Schema {
    title: "[shield]",
    keys: &[
        key(
            "mode",
            Kind::Words(&["auto", "native", "generic", "off"]),
            Is("auto"),
            "how the program is attached",
        ),
        key(
            "interfaces",
            Kind::TEXTS,
            Depends("the interface of the default route"),
            "network interfaces",
        ),
        key(
            "packets",
            Kind::RATE_OR_OFF,
            Is("50000/s"),
            "per source address",
        ),
        key("packets_burst", Kind::BURST, EARNED, "packets at once"),
        key(
            "connections",
            Kind::RATE_OR_OFF,
            Is("200/s"),
            "TCP connection attempts per source address",
        ),
        key("connections_burst", Kind::BURST, EARNED, "attempts at once"),
        key(
            "initials",
            Kind::RATE_OR_OFF,
            Is("200/s"),
            "QUIC connection attempts per source address",
        ),
        key("initials_burst", Kind::BURST, EARNED, "attempts at once"),
        key(
            "new_connections",
            Kind::RATE_OR_OFF,
            Is("off"),
            "both, of all addresses together",
        ),
        key(
            "new_connections_burst",
            Kind::BURST,
            EARNED,
            "attempts at once",
        ),
        key(
            "ipv6_prefix",
            Kind::Integer(1, 128),
            Is("64"),
            "IPv6 sources are counted and banned by this prefix",
        ),
        key(
            "fragments",
            Kind::Words(&["pass", "drop"]),
            Is("pass"),
            "IP fragments",
        ),
        key(
            "allow",
            Kind::TEXTS,
            Is("[]"),
            "networks let in past everything",
        ),
        key(
            "allow_files",
            Kind::TEXTS,
            Is("[]"),
            "files of such networks",
        ),
        key("deny", Kind::TEXTS, Is("[]"), "networks not let in"),
        key(
            "deny_files",
            Kind::TEXTS,
            Is("[]"),
            "files of such networks",
        ),
        key(
            "only",
            Kind::Flag,
            Is("false"),
            "let in nobody but the allow list",
        ),
        key(
            "monitor",
            Kind::Flag,
            Is("false"),
            "drop nothing, count what would be dropped",
        ),
        key(
            "required",
            Kind::Flag,
            Is("false"),
            "do not serve without the shield",
        ),
        key(
            "pin",
            Kind::Text,
            Is("/sys/fs/bpf/edge"),
            "where the shield outlives the process, or \"off\"",
        ),
    ],
};
