//! Mirrored headers that the file decides by.

use crate::config::{FieldWant, Mcp, McpKey, Route};
use crate::mcp::{Era, Refusal, decode};
use crate::message::RequestHead;

/// Refuses a request whose route was chosen, or whose limit is counted, by a mirrored header that no
/// server holds against the body: "If the version is older or the header is absent, the intermediary
/// SHOULD reject the request rather than trusting unvalidated header values"; and one that cannot be
/// read, or stands there twice
/// (<https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#server-validation>).
pub(super) fn check(
    head: &RequestHead,
    era: Era,
    route: Option<&Route>,
    mcp: &Mcp,
) -> Result<(), Refusal> {
    for name in mcp.param_keys() {
        check_values(param(head, name), era)?;
    }
    let chosen_by = route.map_or(&[][..], |route| &route.when.fields);
    for field in chosen_by.iter().filter(|field| is_mirrored(&field.name)) {
        if field.want != FieldWant::Absent {
            check_values(head.fields.values_of(&field.name), era)?;
        }
    }
    Ok(())
}

fn check_values<'a>(mut values: impl Iterator<Item = &'a [u8]>, era: Era) -> Result<(), Refusal> {
    let is_good = match (values.next(), values.next()) {
        (None, _) => true,
        (Some(value), None) => era == Era::Modern && decode(value).is_ok(),
        (Some(_), Some(_)) => false,
    };
    is_good.then_some(()).ok_or(Refusal::Header)
}

fn is_mirrored(name: &str) -> bool {
    name.starts_with("mcp-param-") || name == "mcp-method" || name == "mcp-name"
}

/// The values of `Mcp-Param-NAME`.
pub(super) fn param<'a>(head: &'a RequestHead, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let prefix = b"mcp-param-";
    head.fields.iter().filter_map(move |(_, field, value)| {
        let (start, rest) = field.split_at_checked(prefix.len())?;
        let found =
            start.eq_ignore_ascii_case(prefix) && rest.eq_ignore_ascii_case(name.as_bytes());
        found.then_some(value)
    })
}

impl Mcp {
    /// The parameters that limits of the route count by.
    fn param_keys(&self) -> impl Iterator<Item = &str> {
        let tables = self.method_limits.iter().chain(&self.tool_limits);
        let keys = tables
            .filter(|table| table.calls.is_some())
            .map(|table| &table.key);
        std::iter::once(&self.limit.key)
            .chain(keys)
            .filter_map(|key| match key {
                McpKey::Param(name) => Some(name.as_str()),
                _ => None,
            })
    }
}
