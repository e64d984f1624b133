//! Fields as the proxy knows them, and as the `h2` crate does.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::message::Fields;

/// A field section that `h2` has checked: nothing in it is connection-specific.
pub(super) fn fields(headers: &HeaderMap) -> Fields {
    let bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    let mut fields = Fields::with_capacity(headers.len(), headers.iter().map(bytes).sum());
    for (name, value) in headers {
        fields.push(name.as_str().as_bytes(), value.as_bytes());
    }
    fields
}

/// Fields as `h2` wants them. A value that should never have been sent is left out rather than
/// failing the message.
pub(super) fn header_map(fields: &Fields) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len() + 1);
    for (_, name, value) in fields.iter() {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    headers
}
