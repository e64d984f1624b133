//! What the edge does with content itself.

use super::Default::{Is, Needed, Nothing};
use super::key::key;
use super::{Kind, Schema};

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
    ],
};
