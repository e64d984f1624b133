//! Answers that stand in the file, and the statuses of answers.

use std::ops::RangeInclusive;

use http::StatusCode;

use crate::config::RespondAction;
use crate::config::item::Item;
use crate::config::table::Table;
use crate::config::value::{Invalid, quote};

const CONTENT_TYPE_DEFAULT: &str = "text/plain; charset=utf-8";

pub(super) fn respond(table: &Table<'_>) -> Option<RespondAction> {
    let item = table.item("respond")?;
    let content_type = table.item("content_type").and_then(|item| {
        item.parse("a media type such as \"application/json\"", |text| {
            let printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
            match printable && text.contains('/') {
                true => Ok(text.to_owned()),
                false => Err(Invalid::new(format!("{} is not a media type", quote(text)))),
            }
        })
    });
    let content_type = content_type.unwrap_or_else(|| CONTENT_TYPE_DEFAULT.to_owned());
    if let toml::de::DeValue::Integer(_) = item.value() {
        if let Some(status) = table.item("status") {
            status.error("`respond` is a status already");
        }
        let status = status_of(&item, 200..=599)?;
        return Some(RespondAction {
            status,
            body: None,
            content_type,
        });
    }
    let body = item.text("a status such as 404, or the text of the answer")?;
    Some(RespondAction {
        status: status(table, 200..=599, StatusCode::OK),
        body: Some(body.into()),
        content_type,
    })
}

pub(super) fn status(
    table: &Table<'_>,
    bounds: RangeInclusive<i128>,
    default: StatusCode,
) -> StatusCode {
    table
        .item("status")
        .and_then(|item| status_of(&item, bounds))
        .unwrap_or(default)
}

fn status_of(item: &Item<'_>, bounds: RangeInclusive<i128>) -> Option<StatusCode> {
    let number = item.integer("a status such as 301")?;
    let redirects = bounds == (301..=308);
    let number = item.within(number, bounds, |number| number.to_string())?;
    if redirects && matches!(number, 304..=306) {
        item.error(format!(
            "{number} is no redirect; write 301, 302, 303, 307 or 308"
        ));
        return None;
    }
    StatusCode::from_u16(u16::try_from(number).ok()?).ok()
}
