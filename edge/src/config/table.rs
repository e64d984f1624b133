//! Typed access to one table of the file.
//!
//! A [`Table`] knows which keys it may hold and reports every other one; an [`Item`] is one value
//! with its place. Both record errors and go on, so that the caller always gets a value to continue
//! with: `None` or the default stands for what could not be read.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::Report;
use super::schema::Schema;
use super::suggest::nearest;
use super::value::{Invalid, format_duration, format_size, parse_duration, parse_size, quote};

/// A table of the file, or one that is not there and has nothing but defaults.
pub(super) struct Table<'a> {
    table: Option<&'a DeTable<'a>>,
    span: Range<usize>,
    report: &'a Report<'a>,
    schema: Schema,
    /// Keys that unknown ones look like: they are mistyped, not missing.
    mistyped: Vec<&'static str>,
}

/// A value of the file.
pub(super) struct Item<'a> {
    name: &'a str,
    value: &'a Spanned<DeValue<'a>>,
    report: &'a Report<'a>,
}

impl<'a> Table<'a> {
    /// The top of the file.
    pub(super) fn top(table: &'a DeTable<'a>, schema: Schema, report: &'a Report<'a>) -> Self {
        Self::present(table, 0..0, schema, report)
    }

    /// A table that the file does not hold.
    pub(super) fn absent(schema: Schema, report: &'a Report<'a>) -> Self {
        Self {
            table: None,
            span: 0..0,
            report,
            schema,
            mistyped: Vec::new(),
        }
    }

    fn present(
        table: &'a DeTable<'a>,
        span: Range<usize>,
        schema: Schema,
        report: &'a Report<'a>,
    ) -> Self {
        let mut mistyped = Vec::new();
        for key in table.keys() {
            let name = key.get_ref();
            if schema.keys.contains(&name.as_ref()) {
                continue;
            }
            let near = nearest(name, schema.keys.iter().copied());
            mistyped.extend(near);
            report.error(key.span(), unknown_key(name, schema, near));
        }
        Self {
            table: Some(table),
            span,
            report,
            schema,
            mistyped,
        }
    }

    /// Where the table starts.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Where errors go.
    pub(super) fn report(&self) -> &'a Report<'a> {
        self.report
    }

    /// The value of a key.
    pub(super) fn item(&self, name: &'static str) -> Option<Item<'a>> {
        debug_assert!(
            self.schema.keys.contains(&name),
            "{name} is not in the schema"
        );
        let value = self.table?.get(name)?;
        Some(Item {
            name,
            value,
            report: self.report,
        })
    }

    /// Whether a key is neither there nor mistyped.
    pub(super) fn lacks(&self, name: &'static str) -> bool {
        self.item(name).is_none() && !self.mistyped.contains(&name)
    }

    /// The value of a key that has no default.
    pub(super) fn required(&self, name: &'static str, example: &str) -> Option<Item<'a>> {
        if self.lacks(name) {
            let title = self.schema.title;
            let message = format!("{title} has no `{name}`; add `{name} = {example}`");
            self.report.error(self.span(), message);
        }
        self.item(name)
    }

    /// The table below a key, empty when the file does not hold it.
    pub(super) fn table(&self, name: &'static str, schema: Schema) -> Table<'a> {
        self.item(name)
            .and_then(|item| item.table(schema))
            .unwrap_or(Self::absent(schema, self.report))
    }

    /// The tables below a key, of which there must be one; `missing` says so.
    pub(super) fn tables(
        &self,
        name: &'static str,
        schema: Schema,
        missing: &str,
    ) -> Vec<Table<'a>> {
        if self.lacks(name) {
            self.report.error(self.span(), missing);
        }
        let Some(item) = self.item(name) else {
            return Vec::new();
        };
        match item.value.get_ref() {
            DeValue::Array(items) if items.is_empty() => self.report.error(item.span(), missing),
            DeValue::Array(items) => {
                return items
                    .iter()
                    .filter_map(|value| Item { value, ..item }.table(schema))
                    .collect();
            }
            DeValue::Table(_) => {
                let title = schema.title;
                item.error(format!(
                    "there may be several: write {title} with two brackets"
                ));
            }
            _ => {
                let expected = format!("a list of tables, each under {}", schema.title);
                return item.mismatch(&expected).unwrap_or_default();
            }
        }
        Vec::new()
    }

    /// The tables below a key whose names the writer of the file chooses.
    pub(super) fn named_tables(
        &self,
        name: &'static str,
        schema: Schema,
    ) -> Vec<(&'a Spanned<std::borrow::Cow<'a, str>>, Table<'a>)> {
        let Some(item) = self.item(name) else {
            return Vec::new();
        };
        let DeValue::Table(table) = item.value.get_ref() else {
            item.error(format!("each has a name: write {}", schema.title));
            return Vec::new();
        };
        table
            .iter()
            .filter_map(|(key, value)| {
                let entry = Item {
                    name: key.get_ref(),
                    value,
                    report: self.report,
                };
                Some((key, entry.table(schema)?))
            })
            .collect()
    }

    /// A duration within bounds.
    pub(super) fn duration(
        &self,
        name: &'static str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        self.item(name)
            .and_then(|item| item.duration("a duration such as \"30s\"", bounds))
            .unwrap_or(default)
    }

    /// A duration within bounds, or `"off"`.
    pub(super) fn duration_or_off(
        &self,
        name: &'static str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let Some(item) = self.item(name) else {
            return Some(default);
        };
        if item.is("off") {
            return None;
        }
        let expected = "a duration such as \"30s\", or \"off\"";
        Some(item.duration(expected, bounds).unwrap_or(default))
    }

    /// A whole number within bounds.
    pub(super) fn integer(
        &self,
        name: &'static str,
        default: u64,
        bounds: RangeInclusive<u64>,
    ) -> u64 {
        self.item(name)
            .and_then(|item| {
                let number = item.integer("a whole number")?;
                item.within(number, wide(bounds), |number| number.to_string())
            })
            .and_then(|number| u64::try_from(number).ok())
            .unwrap_or(default)
    }

    /// Bytes within bounds, as text with a unit or as a number.
    pub(super) fn size(
        &self,
        name: &'static str,
        default: u64,
        bounds: RangeInclusive<u64>,
    ) -> u64 {
        let expected = "a size such as \"64KiB\"";
        let show = |bytes: i128| u64::try_from(bytes).map_or(bytes.to_string(), format_size);
        self.item(name)
            .and_then(|item| {
                let bytes = match item.value.get_ref() {
                    DeValue::Integer(_) => item.integer(expected)?,
                    _ => item.parse(expected, parse_size)?.into(),
                };
                item.within(bytes, wide(bounds), show)
            })
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(default)
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &'static str) -> Option<bool> {
        let item = self.item(name)?;
        match item.value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => item.mismatch("true or false"),
        }
    }
}

impl<'a> Item<'a> {
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

    /// The value as text; `expected` says what kind.
    pub(super) fn text(&self, expected: &str) -> Option<&'a str> {
        match self.value.get_ref() {
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
        self.value.get_ref().as_str() == Some(word)
    }

    /// The elements of a list.
    pub(super) fn list(&self, expected: &str) -> Option<Vec<Item<'a>>> {
        match self.value.get_ref() {
            DeValue::Array(items) => Some(
                items
                    .iter()
                    .map(|value| Item {
                        value,
                        name: self.name,
                        report: self.report,
                    })
                    .collect(),
            ),
            DeValue::String(text) => {
                let text = quote(text);
                self.error(format!("must be {expected}; write [{text}]"));
                None
            }
            _ => self.mismatch(expected),
        }
    }

    fn duration(&self, expected: &str, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        let duration = self.parse(expected, parse_duration)?;
        self.within(duration, bounds, format_duration)
    }

    fn table(&self, schema: Schema) -> Option<Table<'a>> {
        match self.value.get_ref() {
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

    fn integer(&self, expected: &str) -> Option<i128> {
        match self.value.get_ref() {
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
    fn within<T: PartialOrd + Copy>(
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
    fn mismatch<T>(&self, expected: &str) -> Option<T> {
        let found = match self.value.get_ref() {
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

/// Bounds in a type that holds every number a file can hold.
fn wide(bounds: RangeInclusive<u64>) -> RangeInclusive<i128> {
    i128::from(*bounds.start())..=i128::from(*bounds.end())
}

fn unknown_key(key: &str, schema: Schema, near: Option<&str>) -> String {
    let shown = quote(key);
    let place = match schema.title {
        "" => String::new(),
        title => format!(" in {title}"),
    };
    let unknown = format!("unknown key `{}`{place}", shown.trim_matches('"'));
    let homes: Vec<String> = schema
        .homes_of(key)
        .iter()
        .map(|home| match (home.title, home.written(key)) {
            ("", written) if written == key => "at the top, before the first [section]".to_owned(),
            ("", written) => format!("at the top, as {written}"),
            (title, _) => format!("in {title}"),
        })
        .collect();
    match near {
        _ if !homes.is_empty() => format!("{unknown}; it belongs {}", homes.join(" or ")),
        Some(near) => format!("{unknown}; did you mean `{}`?", schema.written(near)),
        None => unknown,
    }
}
