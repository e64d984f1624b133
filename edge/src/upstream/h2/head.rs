//! Heads between the proxy and the `h2` crate (RFC 9113 §8.3).

use h2::ext::Protocol;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TE};
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{Method, Request, StatusCode, Uri};

use super::fields::{fields, header_map};
use crate::message::h1::ResponseError;
use crate::message::{BodyLength, Fields, Name, RequestHead, ResponseHead, Upgrade};
use crate::upstream::UpstreamError;

/// A request; `None` where its target or host cannot be said in HTTP/2.
pub(super) fn request(head: &RequestHead, host: &str, secure: bool) -> Option<Request<()>> {
    let mut parts = Parts::default();
    parts.scheme = Some(match secure {
        true => Scheme::HTTPS,
        false => Scheme::HTTP,
    });
    // A request of HTTP/1.0 may have no host, and a URI has to have one.
    let host = match host {
        "" => "localhost",
        host => host,
    };
    parts.authority = Some(Authority::try_from(host).ok()?);
    parts.path_and_query = Some(PathAndQuery::try_from(head.sent_target().as_str()).ok()?);
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    *request.method_mut() = head.method.clone();
    let mut headers = header_map(&head.fields);
    // RFC 9110 §10.1.4: what trails an answer is passed on. Servers of gRPC insist on it.
    headers.insert(TE, HeaderValue::from_static("trailers"));
    if head.upgrade == Some(Upgrade::WebSocket) {
        // RFC 8441 §4, §5: no key, for the stream belongs to nobody else.
        *request.method_mut() = Method::CONNECT;
        headers.remove("sec-websocket-key");
        let protocol = Protocol::from_static("websocket");
        request.extensions_mut().insert(protocol);
    }
    match head.length {
        // A method that usually has content needs a length (RFC 9110 §8.6).
        BodyLength::Empty if matches!(head.method, Method::POST | Method::PUT | Method::PATCH) => {
            headers.insert(CONTENT_LENGTH, 0.into());
        }
        BodyLength::Exact(n) => {
            headers.insert(CONTENT_LENGTH, n.into());
        }
        BodyLength::Empty | BodyLength::Framed | BodyLength::UntilClose => {}
    }
    *request.headers_mut() = headers;
    Some(request)
}

/// A response head that answers a request of `method`; `ended` says that no content follows.
pub(super) fn response(
    status: StatusCode,
    headers: &HeaderMap,
    ended: bool,
    method: &Method,
    fields_max: usize,
) -> Result<ResponseHead, UpstreamError> {
    if headers.len() > fields_max {
        return Err(ResponseError::TooManyFields.into());
    }
    if status.as_u16() >= 600 {
        return Err(ResponseError::Syntax.into()); // RFC 9110 §15.
    }
    let mut fields = fields(headers);
    let stated = content_length(&fields)?;
    fields.remove(Name::ContentLength);
    let describes_get = *method == Method::HEAD || status == StatusCode::NOT_MODIFIED;
    if let Some(n) = stated.filter(|_| describes_get) {
        let mut digits = itoa::Buffer::new();
        fields.push_known(Name::ContentLength, digits.format(n).as_bytes());
    }
    let bodiless = describes_get || status.is_informational() || status == StatusCode::NO_CONTENT;
    let length = match stated {
        _ if ended || bodiless => BodyLength::Empty,
        Some(n) => BodyLength::Exact(n),
        None => BodyLength::Framed,
    };
    Ok(ResponseHead {
        status,
        fields,
        length,
    })
}

fn content_length(fields: &Fields) -> Result<Option<u64>, ResponseError> {
    let mut stated = None;
    for value in fields.values(Name::ContentLength) {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = str::from_utf8(value).ok().filter(|_| digits);
        let n = text.and_then(|text| text.parse().ok());
        let n: u64 = n.ok_or(ResponseError::Syntax)?;
        if stated.replace(n).is_some_and(|before| before != n) {
            return Err(ResponseError::Syntax);
        }
    }
    Ok(stated)
}
