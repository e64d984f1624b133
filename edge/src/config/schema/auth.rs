//! Who may ask.

use super::Default::{Depends, Is, Needed, Nothing};
use super::key::key;
use super::{Kind, Schema};

pub(in crate::config) const API_KEYS: Schema = Schema {
    title: "[host.route.api_keys]",
    keys: &[
        key(
            "file",
            Kind::Text,
            Nothing,
            "lines of `name sha256:HEX` or `name KEY`",
        ),
        key("keys", Kind::Secrets, Nothing, "`name sha256:HEX` each"),
        key(
            "header",
            Kind::Text,
            Is("authorization"),
            "the field that holds the key; `Authorization: Bearer KEY`",
        ),
    ],
};

pub(in crate::config) const JWT: Schema = Schema {
    title: "[host.route.jwt]",
    keys: &[
        key(
            "issuer",
            Kind::Text,
            Needed,
            "the authorization server, as tokens name it",
        ),
        key(
            "jwks",
            Kind::Text,
            Depends("where the metadata of the issuer says"),
            "its keys",
        ),
        key(
            "resource",
            Kind::Text,
            Nothing,
            "the URL that clients know this route by",
        ),
        key(
            "audiences",
            Kind::TEXTS,
            Depends("the resource, with and without a slash"),
            "for whom tokens are",
        ),
        key(
            "scopes",
            Kind::TEXTS,
            Is("[]"),
            "scopes that every request needs",
        ),
        key(
            "leeway",
            Kind::Duration,
            Is("30s"),
            "how far the clock of the issuer may be off",
        ),
    ],
};

pub(in crate::config) const BASIC_AUTH: Schema = Schema {
    title: "[host.route.basic_auth]",
    keys: &[
        key(
            "file",
            Kind::Text,
            Needed,
            "as `htpasswd -B` writes it, or with Argon2id",
        ),
        key(
            "realm",
            Kind::Text,
            Is("edge"),
            "what the password is for, as browsers show it",
        ),
    ],
};

pub(in crate::config) const AUTH_REQUEST: Schema = Schema {
    title: "[host.route.auth_request]",
    keys: &[
        key(
            "upstream",
            Kind::Text,
            Needed,
            "a name from [upstream.*], or a server",
        ),
        key("path", Kind::Text, Is("/"), "what it is asked for"),
        key(
            "request_headers",
            Kind::TEXTS,
            Is("[\"authorization\", \"cookie\"]"),
            "what it sees of the request",
        ),
        key(
            "refusal_headers",
            Kind::TEXTS,
            Is("[\"www-authenticate\", \"set-cookie\"]"),
            "of its 401, 403 and redirects, for the client",
        ),
        key(
            "upstream_headers",
            Kind::TEXTS,
            Is("[]"),
            "of its 2xx, for the upstream",
        ),
        key(
            "user_header",
            Kind::Text,
            Nothing,
            "names the user to the log and to {user}",
        ),
        key("timeout", Kind::Duration, Is("5s"), "for its answer"),
        key(
            "cache",
            Kind::DURATION_OR_OFF,
            Is("off"),
            "how long an answer stands for requests that are alike",
        ),
        key(
            "cache_key",
            Kind::TEXTS,
            Depends("all that it sees"),
            "in what they are alike",
        ),
    ],
};
