//! What is known of one key: what its value may be, what it is when nobody says, what it is for.

use super::Schema;

/// A key of a section.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Key {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) kind: Kind,
    pub(in crate::config) default: Default,
    /// One line for people.
    pub(in crate::config) about: &'static str,
    /// The key of the same table beside which alone it has a meaning.
    pub(in crate::config) with: Option<&'static str>,
}

/// What a value may be. The reader of the section is stricter than this.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number, from the first to the second.
    Integer(u64, u64),
    /// `"30s"`.
    Duration,
    /// `"64KiB"`, or a number of bytes.
    Size,
    /// `"50/s"`.
    Rate,
    /// Any text.
    Text,
    /// One of these.
    Words(&'static [&'static str]),
    /// One of the words that a function lists.
    WordsOf(fn() -> Vec<&'static str>),
    /// A list of texts that nobody may see.
    Secrets,
    /// A list of rules for header fields, whose values may be credentials.
    FieldRules,
    List(&'static Kind),
    Any(&'static [Kind]),
    /// A table under a header of its own.
    Table(&'static Schema),
    /// Any number of tables, each under a header with two brackets.
    Tables(&'static Schema),
    /// Tables whose names the writer of the file chooses.
    Named(&'static Schema),
}

/// What a key is when it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Default {
    /// This, as a file would say it, without quotes. For a table `""`: it is there with its defaults.
    Is(&'static str),
    /// It depends on this.
    Depends(&'static str),
    /// Nothing.
    Nothing,
    /// The file has to say.
    Needed,
}

/// A key.
pub(super) const fn key(
    name: &'static str,
    kind: Kind,
    default: Default,
    about: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        about,
        with: None,
    }
}

impl Key {
    /// It has a meaning beside another key only.
    pub(super) const fn with(self, other: &'static str) -> Key {
        Key {
            with: Some(other),
            ..self
        }
    }

    /// The table below it, if it may hold one.
    pub(in crate::config) fn table(&self) -> Option<&'static Schema> {
        self.kind.table()
    }
}

impl Kind {
    /// The word that switches something off.
    pub(super) const OFF: Kind = Kind::Words(&["off"]);
    pub(super) const DURATION_OR_OFF: Kind = Kind::Any(&[Kind::Duration, Kind::OFF]);
    pub(super) const RATE_OR_OFF: Kind = Kind::Any(&[Kind::Rate, Kind::OFF]);
    pub(super) const SIZE_OR_OFF: Kind = Kind::Any(&[Kind::Size, Kind::OFF]);
    pub(super) const TEXTS: Kind = Kind::List(&Kind::Text);
    /// Of limiters.
    pub(super) const BURST: Kind = Kind::Integer(1, 1_000_000);

    fn table(self) -> Option<&'static Schema> {
        match self {
            Kind::Table(schema) | Kind::Tables(schema) | Kind::Named(schema) => Some(schema),
            Kind::Any(kinds) => kinds.iter().find_map(|kind| kind.table()),
            Kind::List(kind) => kind.table(),
            _ => None,
        }
    }

    /// Whether it is a text in a file, which needs quotes.
    fn quotes(self, text: &str) -> bool {
        match self {
            Kind::Flag => !matches!(text, "true" | "false"),
            Kind::Integer(..) | Kind::Size => text.parse::<u64>().is_err(),
            Kind::List(_) | Kind::Secrets | Kind::FieldRules => !text.starts_with('['),
            Kind::Any(kinds) => kinds.iter().all(|kind| kind.quotes(text)),
            _ => true,
        }
    }

    /// A default as TOML.
    pub(in crate::config) fn as_toml(self, default: &str) -> String {
        match self.quotes(default) {
            true => toml::Value::String(default.to_owned()).to_string(),
            false => default.to_owned(),
        }
    }
}
