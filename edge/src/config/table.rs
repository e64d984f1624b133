//! Typed access to one table of the file.
//!
//! A [`Table`] knows which keys it may hold and reports every other one. It records errors and goes
//! on: the default stands for what is not there and for what could not be read.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::item::Item;
use super::report::Report;
use super::schema::Schema;
use super::suggest::nearest;
use super::value::{Invalid, format_size, parse_size};

/// A table of the file, or one that is not there and has nothing but defaults.
pub(super) struct Table<'a> {
    table: Option<&'a DeTable<'a>>,
    span: Range<usize>,
    report: &'a Report<'a>,
    schema: Schema,
    /// Keys that unknown ones look like: they are mistyped, not missing.
    mistyped: Vec<&'static str>,
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

    /// A table that stands at `span`.
    pub(super) fn present(
        table: &'a DeTable<'a>,
        span: Range<usize>,
        schema: Schema,
        report: &'a Report<'a>,
    ) -> Self {
        let mut mistyped = Vec::new();
        for key in table.keys() {
            let name = key.get_ref();
            if schema.key(name).is_some() {
                continue;
            }
            let near = nearest(name, schema.names());
            mistyped.extend(near);
            report.error(key.span(), schema.unknown_key(name, near));
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
            self.schema.key(name).is_some(),
            "{name} is not in the schema"
        );
        let value = self.table?.get(name)?;
        Some(Item::new(name, value, self.report))
    }

    /// The value of a key whose name is computed.
    pub(super) fn item_named(&self, name: &str) -> Option<Item<'a>> {
        self.item(self.schema.key(name)?.name)
    }

    /// What `parse` makes of every text in a list; empty when the key is not there.
    pub(super) fn list_of<T>(
        &self,
        name: &'static str,
        expected: &str,
        parse: impl Fn(&'a str) -> Result<T, Invalid>,
    ) -> Vec<T> {
        let items = self.item(name).and_then(|item| item.list(expected));
        items
            .unwrap_or_default()
            .iter()
            .filter_map(|item| item.parse("text", &parse))
            .collect()
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
        match item.value() {
            DeValue::Array(items) if items.is_empty() => self.report.error(item.span(), missing),
            DeValue::Array(items) => {
                return items
                    .iter()
                    .filter_map(|value| item.sibling(value).table(schema))
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
        let DeValue::Table(table) = item.value() else {
            item.error(format!("each has a name: write {}", schema.title));
            return Vec::new();
        };
        table
            .iter()
            .filter_map(|(key, value)| {
                let entry = Item::new(key.get_ref(), value, self.report);
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
                let bytes = match item.value() {
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
        match item.value() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => item.mismatch("true or false"),
        }
    }
}

/// Bounds in a type that holds every number a file can hold.
fn wide(bounds: RangeInclusive<u64>) -> RangeInclusive<i128> {
    i128::from(*bounds.start())..=i128::from(*bounds.end())
}
