//! Response heads (RFC 9112 §4, §6.3).

use http::{Method, StatusCode};

use super::framing::{Framing, FramingError};
use super::options::{is_field, remove_nominated};
use super::request::FIELDS_MAX;
use crate::message::{BodyLength, Fields, Name, ResponseHead};

/// A response head and what it says of its connection.
#[derive(Debug)]
pub struct ParsedResponse {
    /// The head.
    pub head: ResponseHead,
    /// The connection may carry another request once the body has ended.
    pub keep_alive: bool,
    /// It is a 101 that goes on in WebSocket.
    pub is_websocket: bool,
}

/// Why an upstream's response head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The head does not follow the grammar.
    #[error("malformed response head")]
    Syntax,
    /// More fields than allowed.
    #[error("too many header fields in response")]
    TooManyFields,
    /// See [`FramingError`].
    #[error(transparent)]
    Framing(#[from] FramingError),
}

/// Parses a whole head, as found by [`super::HeadScan`], that answers a request of `method`.
pub fn parse_response(
    head: &[u8],
    method: &Method,
    fields_max: usize,
) -> Result<ParsedResponse, ResponseError> {
    let mut scratch = [const { std::mem::MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let outcome = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        head,
        &mut scratch,
    );
    match outcome {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(ResponseError::TooManyFields),
        Ok(httparse::Status::Partial) | Err(_) => return Err(ResponseError::Syntax),
    }
    if parsed.headers.len() > fields_max {
        return Err(ResponseError::TooManyFields);
    }
    let status = parsed
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .filter(|status| (100..600).contains(&status.as_u16()))
        .ok_or(ResponseError::Syntax)?;

    // With room for what the edge adds to most answers: date, Alt-Svc, the fields for browsers.
    let mut fields = Fields::with_capacity(parsed.headers.len() + 10, head.len() + 384);
    let mut framing = Framing::default();
    let (mut close, mut keep_alive, mut nominated) = (false, false, 0);
    let (mut upgrades, mut websocket) = (false, false);
    for field in parsed.headers.iter() {
        let name = Name::of(field.name.as_bytes());
        let value = field.value.trim_ascii();
        match name {
            Name::ContentLength | Name::TransferEncoding => framing.add(name, value)?,
            Name::Connection => {
                for option in value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
                    if option.eq_ignore_ascii_case(b"close") {
                        close = true;
                    } else if option.eq_ignore_ascii_case(b"keep-alive") {
                        keep_alive = true;
                    } else if option.eq_ignore_ascii_case(b"upgrade") {
                        upgrades = true;
                    } else if is_field(option) {
                        nominated += 1;
                    }
                }
            }
            Name::Upgrade => websocket |= value.eq_ignore_ascii_case(b"websocket"),
            Name::KeepAlive | Name::ProxyConnection | Name::ProxyAuthenticate => {}
            _ => fields.push(field.name.as_bytes(), value),
        }
    }
    framing.check()?;
    if nominated > fields_max {
        return Err(ResponseError::TooManyFields);
    }
    if nominated > 0 {
        remove_nominated(parsed.headers, &mut fields);
    }
    let http10 = parsed.version == Some(0);
    if http10 && framing.chunked {
        return Err(FramingError::TransferEncoding.into());
    }

    // RFC 9112 §6.3, in its order.
    let bodiless = status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || method == Method::HEAD;
    let length = match (framing.chunked, framing.content_length) {
        _ if bodiless => BodyLength::Empty,
        (true, _) => BodyLength::Framed,
        (false, Some(0)) => BodyLength::Empty,
        (false, Some(n)) => BodyLength::Exact(n),
        (false, None) => BodyLength::UntilClose,
    };
    // The length of what GET would have returned is content metadata worth passing on.
    let describes_get = method == Method::HEAD || status == StatusCode::NOT_MODIFIED;
    if let Some(n) = framing.content_length.filter(|_| describes_get) {
        fields.push_known(
            Name::ContentLength,
            itoa::Buffer::new().format(n).as_bytes(),
        );
    }
    // RFC 9110 §8.6, RFC 9112 §6.1: who announces content with 204 may send it, too.
    let confused = status == StatusCode::NO_CONTENT
        && (framing.chunked || !matches!(framing.content_length, None | Some(0)));
    let keep_alive =
        !close && (!http10 || keep_alive) && length != BodyLength::UntilClose && !confused;
    Ok(ParsedResponse {
        head: ResponseHead {
            status,
            fields,
            length,
        },
        keep_alive,
        is_websocket: status == StatusCode::SWITCHING_PROTOCOLS && upgrades && websocket,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Result<ParsedResponse, ResponseError> {
        parse_response(head.as_bytes(), &Method::POST, 100)
    }

    #[test]
    fn framing_of_responses() {
        for (head, length, keep_alive) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                BodyLength::Exact(5),
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                BodyLength::Empty,
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                BodyLength::Framed,
                true,
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", BodyLength::UntilClose, false),
            ("HTTP/1.1 204 \r\n\r\n", BodyLength::Empty, true),
            (
                "HTTP/1.1 204\r\nConnection: close\r\n\r\n",
                BodyLength::Empty,
                false,
            ),
            (
                "HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n",
                BodyLength::Empty,
                false,
            ),
            (
                "HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n",
                BodyLength::Empty,
                true,
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
                BodyLength::Exact(5),
                false,
            ),
        ] {
            let parsed = parse(head).expect(head);
            assert_eq!(
                (parsed.head.length, parsed.keep_alive),
                (length, keep_alive),
                "{head:?}"
            );
        }
    }

    #[test]
    fn options_of_a_connection_are_as_many_as_fields() {
        let options = |count| {
            let options = "a,".repeat(count);
            parse(&format!(
                "HTTP/1.1 204 \r\nConnection: {options}close\r\n\r\n"
            ))
            .map(|_| ())
        };
        assert_eq!(options(100), Ok(()));
        assert_eq!(options(101), Err(ResponseError::TooManyFields));
    }

    #[test]
    fn head_answers_keep_the_length_they_describe() {
        let parsed = parse_response(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
            &Method::HEAD,
            100,
        )
        .expect("valid");
        assert_eq!(parsed.head.length, BodyLength::Empty);
        assert_eq!(
            parsed.head.fields.value(Name::ContentLength),
            Some(&b"9"[..])
        );
    }

    #[test]
    fn malformed_responses() {
        for head in [
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 999 OK\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        ] {
            assert!(parse(head).is_err(), "{head:?}");
        }
    }
}
