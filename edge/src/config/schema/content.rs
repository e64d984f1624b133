//! What the edge does with content itself.

use super::Default::{Is, Needed, Nothing};
use super::key::key;
use super::{Kind, Schema};

pub(in crate::config) const CACHE: Schema = Schema {
    title: "[host.route.cache]",
    keys: &[
        key(
            "ttl",
            Kind::TEXTS,
            Is("[]"),
            "how long answers are fresh that do not say so, such as \"200: 10s\"",
        ),
        key(
            "key_headers",
            Kind::TEXTS,
            Is("[]"),
            "fields that make another question",
        ),
        key("max_object", Kind::Size, Is("1MiB"), "the longest body"),
        key(
            "stale_while_revalidate",
            Kind::Duration,
            Is("0s"),
            "how long a stale answer is sent while a new one is fetched",
        ),
        key(
            "stale_if_error",
            Kind::Duration,
            Is("0s"),
            "how long a stale answer is sent where the upstream fails",
        ),
        key(
            "wait",
            Kind::DURATION_OR_OFF,
            Is("5s"),
            "how long a request waits for another that asks the same",
        ),
        key(
            "client_directives",
            Kind::Flag,
            Is("false"),
            "Cache-Control of requests is obeyed",
        ),
    ],
};

pub(in crate::config) const COMPRESS: Schema = Schema {
    title: "[host.route.compress]",
    keys: &[
        key(
            "codings",
            Kind::List(&Kind::Words(&["zstd", "br", "gzip"])),
            Is("[\"zstd\", \"br\", \"gzip\"]"),
            "those that clients may choose among",
        ),
        key(
            "min_length",
            Kind::Size,
            Is("1KiB"),
            "shorter answers go as they are",
        ),
    ],
};

pub(in crate::config) const FILES: Schema = Schema {
    title: "[host.route.files]",
    keys: &[
        key("root", Kind::Text, Needed, "the directory"),
        key(
            "index",
            Kind::TEXTS,
            Is("[\"index.html\"]"),
            "what stands for a directory",
        ),
        key(
            "try",
            Kind::TEXTS,
            Is("[\"{path}\", \"{path}/\"]"),
            "where a file is looked for, such as \"{path}.html\"; with `upstream` [\"{path}\"] unless said",
        ),
        key(
            "fallback",
            Kind::Text,
            Nothing,
            "served where there is no file",
        ),
        key(
            "precompressed",
            Kind::Flag,
            Is("false"),
            "a .zst, .br or .gz beside a file goes to clients that take it",
        ),
        key(
            "hidden",
            Kind::Flag,
            Is("false"),
            "names that begin with a dot are served too",
        ),
        key("cache_control", Kind::Text, Nothing, "of files"),
        key(
            "types",
            Kind::TEXTS,
            Is("[]"),
            "media types, such as \"map: application/json\"",
        ),
        key(
            "default_type",
            Kind::Text,
            Is("application/octet-stream"),
            "the media type of files whose names say nothing",
        ),
    ],
};
