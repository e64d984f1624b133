//! An HTTP/2 request head as the proxy knows request heads (RFC 9113 §8.3).

use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST, TE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::connect;
use crate::message::{
    Authority, BodyLength, Fields, Name, RequestHead, ResponseHead, Target, Version,
};

/// Converts what `h2` has checked: pseudo-fields are complete and nothing is connection-specific.
pub(super) fn request_head(
    parts: &Parts,
    ended: bool,
    fields_max: usize,
) -> Result<RequestHead, StatusCode> {
    let upgrade = connect::wanted_protocol(parts)?;
    if parts.headers.len() > fields_max {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let target = match Target::parse(path.as_bytes()) {
        Ok((target, None)) if !target.is_asterisk() || parts.method == Method::OPTIONS => target,
        _ => return Err(StatusCode::BAD_REQUEST),
    };
    let head = RequestHead {
        method: parts.method.clone(),
        target,
        rewritten: None,
        authority: authority(parts)?,
        version: Version::Http2,
        length: length(&parts.headers, ended)?,
        expects_continue: parts
            .headers
            .get(EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")),
        upgrade,
        fields: fields(&parts.headers),
    };
    Ok(match upgrade {
        Some(_) => connect::as_opening(head),
        None => head,
    })
}

/// RFC 9113 §8.3.1: `:authority`, or `Host` where it is missing; both must say the same.
fn authority(parts: &Parts) -> Result<Authority, StatusCode> {
    let parse = |bytes: &[u8]| Authority::parse(bytes).ok_or(StatusCode::BAD_REQUEST);
    let pseudo = match parts.uri.authority() {
        Some(authority) => Some(parse(authority.as_str().as_bytes())?),
        None => None,
    };
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match hosts.next() {
        Some(value) => Some(parse(value.as_bytes())?),
        None => None,
    };
    match (pseudo, host, hosts.next()) {
        (Some(pseudo), Some(host), None) if pseudo == host => Ok(pseudo),
        (Some(one), None, None) | (None, Some(one), None) => Ok(one),
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

fn length(headers: &HeaderMap, ended: bool) -> Result<BodyLength, StatusCode> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let declared = match lengths.next().map(HeaderValue::to_str) {
        None => None,
        Some(Ok(text)) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse::<u64>().ok(),
        Some(_) => return Err(StatusCode::BAD_REQUEST),
    };
    match (ended, declared, lengths.next()) {
        (_, _, Some(_)) => Err(StatusCode::BAD_REQUEST),
        (true, None | Some(0), _) => Ok(BodyLength::Empty),
        (true, Some(_), _) => Err(StatusCode::BAD_REQUEST),
        (false, Some(n), _) => Ok(BodyLength::Exact(n)),
        (false, None, _) => Ok(BodyLength::Framed),
    }
}

fn fields(headers: &HeaderMap) -> Fields {
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum::<usize>();
    let mut fields = Fields::with_capacity(headers.len() + 8, bytes + 256);
    for (name, value) in headers {
        if !matches!(*name, HOST | CONTENT_LENGTH | EXPECT | TE | COOKIE) {
            fields.push(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    // RFC 9113 §8.2.3: crumbs are put together again for HTTP/1.1.
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if !crumbs.is_empty() {
        fields.push(b"cookie", &crumbs.join(&b"; "[..]));
    }
    fields
}

/// Trailer fields as the proxy knows fields.
pub(super) fn trailers(headers: &HeaderMap) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in headers {
        fields.push(name.as_str().as_bytes(), value.as_bytes());
    }
    fields
}

/// Fields as `h2` wants them. A value an upstream should never have sent is left out rather than
/// failing the response.
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

/// A response head as `h2` wants it.
pub(super) fn response(head: &ResponseHead, is_head: bool) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    *response.headers_mut() = header_map(&head.fields);
    let status = head.status;
    let bodiless = status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let length = match head.length {
        BodyLength::Exact(n) => Some(n),
        BodyLength::Empty if !bodiless && !is_head => Some(0),
        _ => None,
    };
    if let Some(n) =
        length.filter(|_| !bodiless && head.fields.value(Name::ContentLength).is_none())
    {
        response.headers_mut().insert(CONTENT_LENGTH, n.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn convert(request: http::request::Builder, ended: bool) -> Result<RequestHead, StatusCode> {
        let (parts, ()) = request.body(()).expect("valid").into_parts();
        request_head(&parts, ended, 100)
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
