//! An HTTP/2 request head as the proxy knows request heads (RFC 9113 §8.3).

use h2::ext::Protocol;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Response, StatusCode};

use crate::config::Bounds;
use crate::http::opening;
use crate::message::h2::header_map;
use crate::message::{RequestHead, RequestSection, ResponseHead, SectionError, Version};

/// What a field counts beyond its name and value.
const FIELD_OVERHEAD: usize = 32;

/// Converts what `h2` has checked: pseudo-fields are complete and nothing is connection-specific.
pub(super) fn request_head(
    parts: &Parts,
    ended: bool,
    bounds: &Bounds,
) -> Result<RequestHead, StatusCode> {
    section(parts, ended, bounds).map_err(|error| match error {
        SectionError::Malformed => StatusCode::BAD_REQUEST,
        SectionError::Refused(status) => status,
    })
}

fn section(parts: &Parts, ended: bool, bounds: &Bounds) -> Result<RequestHead, SectionError> {
    let bytes: usize = parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    // RFC 9113 §6.5.2.
    if bytes + FIELD_OVERHEAD * parts.headers.len() > bounds.head_bytes {
        let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(SectionError::Refused(too_large));
    }
    let mut section = RequestSection::new(bounds.head_fields, bytes);
    section.method(parts.method.clone());
    if let Some(protocol) = parts.extensions.get::<Protocol>() {
        section.protocol(protocol.as_str().as_bytes());
    }
    // `h2` asks for one, but takes an empty one for it.
    if parts.uri.scheme_str() != Some("") {
        section.scheme();
    }
    if let Some(authority) = parts.uri.authority() {
        section.authority(authority.as_str().as_bytes())?;
    }
    section.path(
        parts
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .as_bytes(),
    );
    for (name, value) in &parts.headers {
        section.field(name.as_str().as_bytes(), value.as_bytes())?;
    }
    section.finish(Version::Http2, ended).map(opening::as_get)
}

/// A response head as `h2` wants it.
pub(super) fn response(head: &ResponseHead, is_head: bool) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    *response.headers_mut() = header_map(&head.fields);
    if let Some(n) = head.content_length(is_head) {
        response.headers_mut().insert(CONTENT_LENGTH, n.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::BodyLength;
    use http::Request;

    fn convert(request: http::request::Builder, ended: bool) -> Result<RequestHead, StatusCode> {
        let (parts, ()) = request.body(()).expect("valid").into_parts();
        let bounds = crate::observe::testing::config().bounds;
        request_head(&parts, ended, &bounds)
    }

    #[test]
    fn a_long_head_is_refused_with_its_own_status() {
        let bytes = crate::observe::testing::config().bounds.head_bytes;
        let with = |length: usize| {
            let request = Request::get("https://a.example/");
            convert(request.header("x", "v".repeat(length)), true)
        };
        assert!(with(bytes - 100).is_ok());
        let too_large = Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_eq!(with(bytes).err(), too_large);
    }

    #[test]
    fn authority_and_host_must_agree() {
        let request = |host: &str| Request::get("https://a.example/x").header("host", host);
        assert!(convert(request("a.example"), true).is_ok());
        assert_eq!(
            convert(request("b.example"), true).err(),
            Some(StatusCode::BAD_REQUEST)
        );
        assert_eq!(
            convert(Request::get("/x"), true).err(),
            Some(StatusCode::BAD_REQUEST)
        );
    }

    #[test]
    fn cookies_are_joined_and_lengths_checked() {
        let request = Request::post("https://h/")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("content-length", "3");
        let head = convert(request, false).expect("valid");
        assert_eq!(head.length, BodyLength::Exact(3));
        let (_, _, cookie) = head.fields.iter().next().expect("one field");
        assert_eq!(cookie, b"a=1; b=2");
        let twice = Request::post("https://h/")
            .header("content-length", "3")
            .header("content-length", "3");
        assert!(convert(twice, false).is_err());
        assert!(
            convert(
                Request::post("https://h/").header("content-length", "+3"),
                false
            )
            .is_err()
        );
    }
}
