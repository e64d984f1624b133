//! The static table (RFC 7541 appendix A).

use std::collections::HashMap;
use std::sync::LazyLock;

/// Name and value of each entry; the first has index 1.
#[rustfmt::skip]
pub(super) const STATIC_TABLE: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"), (":status", "200"),
    (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""),
    ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""),
    ("authorization", ""), ("cache-control", ""), ("content-disposition", ""),
    ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""),
    ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""),
    ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""),
    ("via", ""), ("www-authenticate", ""),
];

static NAMES: LazyLock<HashMap<&'static [u8], usize>> = LazyLock::new(|| {
    let mut names = HashMap::with_capacity(STATIC_TABLE.len());
    for (below, (name, _)) in STATIC_TABLE.iter().enumerate() {
        names.entry(name.as_bytes()).or_insert(below + 1);
    }
    names
});

/// The first index of a name, or 0.
pub(super) fn index_of(name: &[u8]) -> usize {
    NAMES.get(name).copied().unwrap_or(0)
}

/// The index of a whole status line, or 0.
pub(super) fn index_of_status(digits: &[u8]) -> usize {
    let is_it = |(name, value): &(&str, &str)| *name == ":status" && value.as_bytes() == digits;
    STATIC_TABLE
        .iter()
        .position(is_it)
        .map_or(0, |below| below + 1)
}
