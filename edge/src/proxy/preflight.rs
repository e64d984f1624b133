//! What browsers ask before they let a page of another origin ask: CORS preflights.
//!
//! They never show credentials (<https://fetch.spec.whatwg.org/#cors-preflight-request>), so a route
//! that wants them would be closed to every page. They ask nothing of the server
//! but what pages may do, and have no body.

use http::Method;

use crate::message::{BodyLength, Name, RequestHead};

/// Whether a request is one.
pub(super) fn is_preflight(head: &RequestHead) -> bool {
    let asks = |name: &str| head.fields.values_of(name).next().is_some();
    head.method == Method::OPTIONS
        && head.length == BodyLength::Empty
        && head.fields.value(Name::Origin).is_some()
        && asks("access-control-request-method")
}
