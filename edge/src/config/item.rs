//! Typed access to one value of the file.
//!
//! What is asked for and not there is recorded as an error, and the answer is `None`: the caller
//! goes on with a default, so that one run finds everything.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::report::Report;
use super::schema::Schema;
use super::suggest::nearest;
use super::table::Table;
use super::value::{Invalid, format_duration, parse_duration, quote};

/// A value of the file.
pub(super) struct Item<'a> {
    name: &'a str,
    value: &'a Spanned<DeValue<'a>>,
    report: &'a Report<'a>,
}

impl<'a> Item<'a> {
    /// The value under `name`.
    pub(super) fn new(
        name: &'a str,
        value: &'a Spanned<DeValue<'a>>,
        report: &'a Report<'a>,
    ) -> Self {
        Self {
            name,
            value,
            report,
        }
    }

    /// The value as it was parsed.
    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// Another value under the same name.
    pub(super) fn sibling(&self, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self::new(self.name, value, self.report)
    }

    /// Where the value stands.
    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    /// Where errors go.
    pub(super) fn report(&self) -> &'a Report<'a> {
        self.report
    }

    /// Records an error about the value.
    pub(super) fn error(&self, message: impl Display) {
        self.report
            .error(self.span(), format!("`{}`: {message}", self.name));
    }

    /// Records that the value works but is hardly meant.
    pub(super) fn warning(&self, message: impl Display) {
        self.report
            .warning(self.span(), format!("`{}`: {message}", self.name));
    }

    /// The value as text; `expected` says what kind.
    pub(super) fn text(&self, expected: &str) -> Option<&'a str> {
        match self.value() {
            DeValue::String(text) => Some(text),
            _ => self.mismatch(expected),
        }
    }

    /// The value as text that `parser` accepts.
    pub(super) fn parse<T>(
        &self,
        expected: &str,
        parser: impl FnOnce(&'a str) -> Result<T, Invalid>,
    ) -> Option<T> {
        match parser(self.text(expected)?) {
            Ok(value) => Some(value),
            Err(invalid) => {
                self.error(invalid);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        let listed = words()
            .map(|word| format!("{word:?}"))
            .collect::<Vec<_>>()
            .join(", ");
        let text = self.text(&format!("one of {listed}"))?;
        let chosen = choices.iter().find(|(word, _)| *word == text);
        if chosen.is_none() {
            let hint = nearest(text, words())
                .map_or(String::new(), |word| format!("; did you mean {word:?}?"));
            self.error(format!("{} is not one of {listed}{hint}", quote(text)));
        }
        chosen.map(|(_, value)| *value)
    }

    /// Whether the value is exactly this text.
    pub(super) fn is(&self, word: &str) -> bool {
        self.value().as_str() == Some(word)
    }

    /// The elements of a list.
    pub(super) fn list(&self, expected: &str) -> Option<Vec<Item<'a>>> {
        match self.value() {
            DeValue::Array(items) => Some(items.iter().map(|value| self.sibling(value)).collect()),
            DeValue::String(text) => {
                let text = quote(text);
                self.error(format!("must be {expected}; write [{text}]"));
                None
            }
            _ => self.mismatch(expected),
        }
    }

    /// A duration within bounds.
    pub(super) fn duration(
        &self,
        expected: &str,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let duration = self.parse(expected, parse_duration)?;
        self.within(duration, bounds, format_duration)
    }

    /// A table with the keys of `schema`.
    pub(super) fn table(&self, schema: Schema) -> Option<Table<'a>> {
        match self.value() {
            DeValue::Table(table) => Some(Table::present(table, self.span(), schema, self.report)),
            DeValue::Array(_) => {
                let title = schema.title;
                self.error(format!(
                    "there is only one: write {title} with one pair of brackets"
                ));
                None
            }
            _ => self.mismatch(&format!("a table, under {}", schema.title)),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, expected: &str) -> Option<i128> {
        match self.value() {
            DeValue::Integer(number) => {
                let parsed = i128::from_str_radix(number.as_str(), number.radix());
                if parsed.is_err() {
                    self.error(format!("{} is far out of bounds", quote(number.as_str())));
                }
                parsed.ok()
            }
            _ => self.mismatch(expected),
        }
    }

    /// Checks bounds; `show` writes a value as the file would.
    pub(super) fn within<T: PartialOrd + Copy>(
        &self,
        value: T,
        bounds: RangeInclusive<T>,
        show: impl Fn(T) -> String,
    ) -> Option<T> {
        if bounds.contains(&value) {
            return Some(value);
        }
        let (value, least, most) = (show(value), show(*bounds.start()), show(*bounds.end()));
        self.error(format!("{value} is out of bounds; write {least} to {most}"));
        None
    }

    /// Records that the value is of another kind.
    pub(super) fn mismatch<T>(&self, expected: &str) -> Option<T> {
        let found = match self.value() {
            DeValue::String(text) => format!("the text {}", quote(text)),
            DeValue::Integer(number) => format!("the number {number}"),
            DeValue::Float(number) => format!("the number {number}"),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(date) => format!("the date {date}"),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.error(format!("must be {expected}, not {found}"));
        None
    }
}
