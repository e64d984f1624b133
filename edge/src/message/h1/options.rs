//! The options of `Connection`: what is said of one hop only (RFC 9110 §7.6.1).

use crate::message::{Fields, Name};

/// What they say.
#[derive(Default)]
pub(super) struct Connection {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    /// Options that are fields: each is looked for among those, so there may not be more of them.
    pub(super) nominated: usize,
}

impl Connection {
    /// Takes note of one line of them.
    pub(super) fn add(&mut self, value: &[u8]) {
        for option in value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else if is_field(option) {
                self.nominated += 1;
            }
        }
    }
}

/// Whether an option may name a field that is passed on otherwise.
pub(super) fn is_field(option: &[u8]) -> bool {
    let others = [&b"close"[..], b"keep-alive", b"upgrade", b"te"];
    !option.is_empty()
        && !others
            .iter()
            .any(|other| option.eq_ignore_ascii_case(other))
}

/// Removes the fields that `Connection` in `parsed` declares to be for one hop only.
pub(super) fn remove_nominated(parsed: &[httparse::Header<'_>], fields: &mut Fields) {
    let options: Vec<&[u8]> = parsed
        .iter()
        .filter(|field| Name::of(field.name.as_bytes()) == Name::Connection)
        .flat_map(|field| field.value.split(|&b| b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|option| is_field(option))
        .collect();
    fields.retain(|_, name, _| {
        let mut nominated = options.iter();
        !nominated.any(|option| name.eq_ignore_ascii_case(option)) || is_end_to_end(name)
    });
}

/// Fields that are for the recipient by definition: RFC 9110 §7.6.1 forbids to nominate them, and
/// doing so is a known way to strip them in front of an upstream that relies on them.
fn is_end_to_end(name: &[u8]) -> bool {
    [
        &b"authorization"[..],
        b"cookie",
        b"origin",
        b"content-type",
        b"cache-control",
    ]
    .iter()
    .any(|known| name.eq_ignore_ascii_case(known))
        || name
            .get(..4)
            .is_some_and(|p| p.eq_ignore_ascii_case(b"mcp-"))
}
