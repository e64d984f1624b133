//! Hosts and routes.

use super::Default::{Depends, Is, Needed, Nothing};
use super::key::key;
use super::{API_KEYS, AUTH_REQUEST, BASIC_AUTH, CACHE, COMPRESS, FILES, JWT, Kind, MCP, Schema};

const TOKENS: Kind = Kind::Any(&[Kind::OFF, Kind::Table(&JWT)]);
const KEYS: Kind = Kind::Any(&[Kind::OFF, Kind::Table(&API_KEYS)]);
const PASSWORDS: Kind = Kind::Any(&[Kind::OFF, Kind::Table(&BASIC_AUTH)]);
const ASKED: Kind = Kind::Any(&[Kind::OFF, Kind::Table(&AUTH_REQUEST)]);
pub(super) const WORKED_ON: Kind = Kind::Any(&[Kind::Flag, Kind::Table(&MAINTENANCE)]);
const OF_HOST: super::Default = Depends("that of the host");

pub(in crate::config) const MAINTENANCE: Schema = Schema {
    title: "[maintenance]",
    keys: &[
        key("file", Kind::Text, Nothing, "only while there is this file"),
        key(
            "exempt",
            Kind::TEXTS,
            Is("[]"),
            "networks that are served nevertheless",
        ),
        key(
            "retry_after",
            Kind::Duration,
            Is("5m"),
            "when clients are told to come back",
        ),
    ],
};

pub(in crate::config) const HOST: Schema = Schema {
    title: "[[host]]",
    keys: &[
        key(
            "names",
            Kind::TEXTS,
            Needed,
            "exact, \"*.example.com\", or \"*\" for everything else",
        ),
        key("certificate", Kind::Text, Nothing, "chain in a PEM file"),
        key("key", Kind::Text, Nothing, "private key in a PEM file"),
        key(
            "ocsp",
            Kind::Text,
            Depends("fetched where the certificate demands it"),
            "\"fetch\", \"off\", or a DER file with the answer to staple",
        ),
        key(
            "client_ca",
            Kind::Text,
            Nothing,
            "PEM file of the authorities whose certificates clients show",
        ),
        key(
            "client_certificate",
            Kind::Words(&["required", "optional"]),
            Is("required"),
            "whether clients must show one",
        )
        .with("client_ca"),
        key(
            "client_crl",
            Kind::Text,
            Nothing,
            "PEM file of revocation lists",
        ),
        key(
            "http3",
            Kind::Flag,
            Depends("true, unless clients are asked for certificates"),
            "tell clients that there is HTTP/3",
        ),
        key(
            "redirect",
            Kind::Text,
            Nothing,
            "where requests go that no route takes",
        ),
        key(
            "hsts",
            Kind::DURATION_OR_OFF,
            Is("365d"),
            "Strict-Transport-Security, over TLS only",
        ),
        key(
            "request_headers",
            Kind::FieldRules,
            Is("[]"),
            "\"Name: value\" sets, \"+Name: value\" adds, \"-Name\" removes",
        ),
        key(
            "response_headers",
            Kind::FieldRules,
            Is("[]"),
            "the same for answers",
        ),
        key(
            "allow",
            Kind::TEXTS,
            Depends("all"),
            "networks that may ask",
        ),
        key("deny", Kind::TEXTS, Is("[]"), "networks that may not"),
        key(
            "limits",
            Kind::TEXTS,
            Is("[]"),
            "names of limits, counted for each route",
        ),
        key(
            "max_body",
            Kind::SIZE_OR_OFF,
            Is("off"),
            "of request bodies",
        ),
        key(
            "error_pages",
            Kind::TEXTS,
            Is("[]"),
            "such as \"404: errors/404.html\" and \"5xx: errors/50x.html\"",
        ),
        key(
            "maintenance",
            WORKED_ON,
            Depends("that of the whole file"),
            "requests are answered 503",
        ),
        key("api_keys", KEYS, Nothing, "of all routes"),
        key("jwt", TOKENS, Nothing, "of all routes"),
        key("basic_auth", PASSWORDS, Nothing, "of all routes"),
        key("auth_request", ASKED, Nothing, "of all routes"),
        key("route", Kind::Tables(&ROUTE), Nothing, "routes"),
    ],
};

pub(in crate::config) const ROUTE: Schema = Schema {
    title: "[[host.route]]",
    keys: &[
        key(
            "path",
            Kind::Text,
            Depends("\"/\""),
            "prefix of whole segments",
        ),
        key("exact", Kind::Text, Nothing, "this path alone"),
        key("regex", Kind::Text, Nothing, "an expression for the path"),
        key("methods", Kind::TEXTS, Depends("all"), "methods it takes"),
        key(
            "headers",
            Kind::TEXTS,
            Is("[]"),
            "fields a request must have or lack",
        ),
        key(
            "upstream",
            Kind::Text,
            Nothing,
            "a name from [upstream.*], or a server such as \"http://127.0.0.1:8000\"",
        ),
        key(
            "strip_prefix",
            Kind::Flag,
            Is("false"),
            "the upstream is asked for what follows the path",
        )
        .with("upstream"),
        key(
            "rewrite",
            Kind::Text,
            Nothing,
            "what the upstream is asked for instead",
        ),
        key(
            "keep_alive",
            Kind::DURATION_OR_OFF,
            Is("15s"),
            "comment on event streams silent for this long",
        )
        .with("upstream"),
        key(
            "response_timeout",
            Kind::Duration,
            Depends("that of the upstream"),
            "from the whole request to the response head",
        )
        .with("upstream"),
        key(
            "buffer_request",
            Kind::Flag,
            Is("false"),
            "the body is read whole before the upstream is asked",
        )
        .with("upstream"),
        key(
            "websocket",
            Kind::Flag,
            Is("true"),
            "clients may open a WebSocket",
        )
        .with("upstream"),
        key("redirect", Kind::Text, Nothing, "where to send the client"),
        key(
            "files",
            Kind::Any(&[Kind::Text, Kind::Table(&FILES)]),
            Nothing,
            "a directory whose files it serves; with `upstream`, which gets what is no file",
        ),
        key(
            "respond",
            Kind::Any(&[Kind::Integer(200, 599), Kind::Text]),
            Nothing,
            "a status (444: none, the connection is closed), or the text of the answer",
        ),
        key(
            "status",
            Kind::Integer(200, 599),
            Depends("307 of a redirect, 200 of a text"),
            "of the answer",
        ),
        key(
            "content_type",
            Kind::Text,
            Is("text/plain; charset=utf-8"),
            "of the text",
        )
        .with("respond"),
        key(
            "request_headers",
            Kind::FieldRules,
            Is("[]"),
            "after those of the host",
        ),
        key(
            "response_headers",
            Kind::FieldRules,
            Is("[]"),
            "after those of the host",
        ),
        key("allow", Kind::TEXTS, OF_HOST, "networks that may ask"),
        key("deny", Kind::TEXTS, OF_HOST, "networks that may not"),
        key("limits", Kind::TEXTS, OF_HOST, "names of limits"),
        key("max_body", Kind::SIZE_OR_OFF, OF_HOST, "of request bodies"),
        key(
            "early_data",
            Kind::Flag,
            Is("false"),
            "GET and HEAD may come in early data (0-RTT)",
        ),
        key("api_keys", KEYS, OF_HOST, "keys that clients show"),
        key("jwt", TOKENS, OF_HOST, "tokens of an authorization server"),
        key("basic_auth", PASSWORDS, OF_HOST, "names and passwords"),
        key(
            "auth_request",
            ASKED,
            OF_HOST,
            "a service that is asked about every request",
        ),
        key(
            "cache",
            Kind::Any(&[Kind::Flag, Kind::Table(&CACHE)]),
            Nothing,
            "answers are stored for a while",
        ),
        key(
            "compress",
            Kind::Any(&[Kind::Flag, Kind::Table(&COMPRESS)]),
            Nothing,
            "answers are compressed",
        ),
        key(
            "mcp",
            Kind::Any(&[Kind::Flag, Kind::Table(&MCP)]),
            Nothing,
            "it is an MCP endpoint",
        ),
    ],
};
