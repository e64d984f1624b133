//! Request heads (RFC 9112 §3, §5).

use http::Method;

use super::framing::{Framing, FramingError};
use super::options::{Connection, remove_nominated};
use crate::message::trailer::frames_by_another_name;
use crate::message::{
    Authority, BodyLength, Fields, Name, RequestHead, Target, TargetError, Upgrade, Version,
};

/// Most fields any configuration may allow; the parser's scratch lives on the stack.
pub(super) const FIELDS_MAX: usize = 256;

/// Why a request head is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not HTTP/1.0 or HTTP/1.1.
    #[error("unsupported HTTP version")]
    Version,
    /// The head does not follow the grammar.
    #[error("malformed request head: {0}")]
    Syntax(&'static str),
    /// More fields than allowed.
    #[error("too many header fields")]
    TooManyFields,
    /// See [`TargetError`].
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A transfer coding this server does not implement (RFC 9112 §6.1: 501).
    #[error("unsupported transfer coding")]
    TransferCoding,
    /// See [`FramingError`].
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// RFC 9112 §3.2: exactly one valid `Host` in HTTP/1.1.
    #[error("missing, repeated or invalid Host")]
    Host,
}

impl RequestError {
    /// The status this mistake is answered with.
    pub fn status(&self) -> http::StatusCode {
        use http::StatusCode as S;
        match self {
            RequestError::Version => S::HTTP_VERSION_NOT_SUPPORTED,
            RequestError::TooManyFields => S::REQUEST_HEADER_FIELDS_TOO_LARGE,
            RequestError::TransferCoding => S::NOT_IMPLEMENTED,
            _ => S::BAD_REQUEST,
        }
    }
}

/// Checks what has come of a head for mistakes that more bytes cannot mend, so that garbage is
/// answered at once instead of at the head deadline.
pub fn check_partial(buf: &[u8]) -> Result<(), RequestError> {
    let mut scratch = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut scratch);
    match parsed.parse(buf) {
        Ok(_) => Ok(()),
        Err(error) => match as_http11(error, buf) {
            Some(understood) => check_partial(&understood),
            None => Err(syntax_error(error, buf)),
        },
    }
}

/// Parses a whole head, as found by [`super::HeadScan`]. Returns it with whether the client lets
/// the connection live on (RFC 9112 §9.3).
pub fn parse_request(head: &[u8], fields_max: usize) -> Result<(RequestHead, bool), RequestError> {
    let mut scratch = [const { std::mem::MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, &mut scratch) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(RequestError::Syntax("incomplete head")),
        Err(error) => {
            return match as_http11(error, head) {
                Some(understood) => parse_request(&understood, fields_max),
                None => Err(syntax_error(error, head)),
            };
        }
    }
    if parsed.headers.len() > fields_max {
        return Err(RequestError::TooManyFields);
    }
    let version = match parsed.version {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    };
    let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes())
        .map_err(|_| RequestError::Syntax("invalid method"))?;
    let (target, target_authority) = Target::parse(parsed.path.unwrap_or_default().as_bytes())?;
    // RFC 9112 §3.2.3, §3.2.4; what has the form that goes with CONNECT is refused already.
    if method == Method::CONNECT || (target.is_asterisk() && method != Method::OPTIONS) {
        return Err(TargetError::Form.into());
    }

    let mut fields = Fields::with_capacity(parsed.headers.len() + 8, head.len() + 256);
    let mut framing = Framing::default();
    let mut host = None;
    let mut connection = Connection::default();
    let mut upgrade = None;
    let mut expects_continue = false;
    for field in parsed.headers.iter() {
        let name = Name::of(field.name.as_bytes());
        let value = field.value.trim_ascii();
        match name {
            Name::ContentLength => framing.add(name, value)?,
            Name::TransferEncoding => {
                if version == Version::Http10 {
                    return Err(FramingError::TransferEncoding.into());
                }
                if ends_in_chunked_after_other(value) {
                    return Err(RequestError::TransferCoding);
                }
                framing.add(name, value)?;
            }
            Name::Host => {
                let authority = Authority::parse(value).ok_or(RequestError::Host)?;
                if host.replace(authority).is_some() {
                    return Err(RequestError::Host);
                }
            }
            Name::Connection => connection.add(value),
            Name::Upgrade => upgrade = upgrade.or(wanted_protocol(value)),
            Name::Expect => expects_continue |= value.eq_ignore_ascii_case(b"100-continue"),
            Name::KeepAlive | Name::ProxyConnection | Name::ProxyAuthorization => {}
            // RFC 9110 §10.1.4: `trailers` is the one transfer preference worth passing on.
            Name::Te => {}
            _ if frames_by_another_name(name, field.name.as_bytes()) => {}
            _ => fields.push(field.name.as_bytes(), value),
        }
    }
    framing.check()?;
    if host.is_none() && version == Version::Http11 {
        return Err(RequestError::Host);
    }
    if connection.nominated > fields_max {
        return Err(RequestError::TooManyFields);
    }
    if connection.nominated > 0 {
        remove_nominated(parsed.headers, &mut fields);
    }

    let length = match (framing.chunked, framing.content_length) {
        (true, _) => BodyLength::Framed,
        (false, Some(0) | None) => BodyLength::Empty,
        (false, Some(n)) => BodyLength::Exact(n),
    };
    let keep_alive = match version {
        Version::Http10 => connection.keep_alive && !connection.close,
        _ => !connection.close,
    };
    let head = RequestHead {
        method,
        target,
        sent: None,
        // RFC 9112 §3.2.2: an absolute-form target overrides Host.
        authority: target_authority.or(host).unwrap_or_default(),
        version,
        fields,
        length,
        expects_continue: expects_continue
            && version == Version::Http11
            && length != BodyLength::Empty,
        upgrade: upgrade.filter(|_| connection.upgrade && version == Version::Http11),
    };
    Ok((head, keep_alive))
}

fn syntax_error(error: httparse::Error, buf: &[u8]) -> RequestError {
    match error {
        httparse::Error::TooManyHeaders => RequestError::TooManyFields,
        httparse::Error::Version if names_http_version(buf) => RequestError::Version,
        httparse::Error::Version => RequestError::Syntax("invalid version"),
        httparse::Error::HeaderName => RequestError::Syntax("invalid field name"),
        httparse::Error::HeaderValue => RequestError::Syntax("invalid field value"),
        httparse::Error::NewLine => RequestError::Syntax("invalid line end"),
        httparse::Error::Token => RequestError::Syntax("invalid request line"),
        httparse::Error::Status => RequestError::Syntax("invalid status"),
    }
}

/// RFC 9110 §2.5: a minor version higher than the highest that is understood is treated as that one.
/// The head is then one of HTTP/1.1, written anew.
fn as_http11(error: httparse::Error, buf: &[u8]) -> Option<Vec<u8>> {
    if error != httparse::Error::Version {
        return None;
    }
    let (end, [b'1', minor @ b'2'..=b'9']) = http_version(buf)? else {
        return None;
    };
    let mut understood = buf.to_vec();
    debug_assert_eq!(understood.get(end - 1), Some(&minor));
    *understood.get_mut(end - 1)? = b'1';
    Some(understood)
}

/// Whether the first line ends in `HTTP/d.d`: another version, not garbage.
fn names_http_version(buf: &[u8]) -> bool {
    http_version(buf).is_some()
}

/// Where the first line ends, if that is in `HTTP/d.d`, and the two digits.
fn http_version(buf: &[u8]) -> Option<(usize, [u8; 2])> {
    let blank = buf.len() - buf.trim_ascii_start().len();
    let line = &buf[blank..];
    let line = &line[..memchr::memchr2(b'\r', b'\n', line).unwrap_or(line.len())];
    let version = line.rsplit(|&b| b == b' ').next().unwrap_or_default();
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Some((blank + line.len(), [*major, *minor]))
        }
        _ => None,
    }
}

/// `gzip, chunked`: well-formed, decodable framing, but with a coding nobody here undoes.
fn ends_in_chunked_after_other(value: &[u8]) -> bool {
    let mut codings = value.rsplit(|&b| b == b',').map(<[u8]>::trim_ascii);
    let last = codings.next().unwrap_or_default();
    let mut others = codings.peekable();
    last.eq_ignore_ascii_case(b"chunked")
        && others.peek().is_some()
        && others.all(|coding| {
            [
                &b"gzip"[..],
                b"x-gzip",
                b"deflate",
                b"compress",
                b"x-compress",
            ]
            .iter()
            .any(|known| coding.eq_ignore_ascii_case(known))
        })
}

/// `h2c` is offered by clients that are just as content with HTTP/1.1 (RFC 9110 §7.8: a server may
/// ignore the field); any other protocol is something the client depends on.
fn wanted_protocol(value: &[u8]) -> Option<Upgrade> {
    let protocols = || value.split(|&b| b == b',').map(<[u8]>::trim_ascii);
    if protocols().any(|protocol| protocol.eq_ignore_ascii_case(b"websocket")) {
        return Some(Upgrade::WebSocket);
    }
    protocols()
        .any(|protocol| !protocol.eq_ignore_ascii_case(b"h2c"))
        .then_some(Upgrade::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Result<(RequestHead, bool), RequestError> {
        parse_request(head.as_bytes(), 100)
    }

    #[test]
    fn an_ordinary_request() {
        let (head, keep_alive) = parse(
            "POST /mcp?x=1 HTTP/1.1\r\nHost: A.example:8443\r\nContent-Length: 3\r\n\
             Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nMcp-Name: t\r\nExpect: 100-Continue\r\n\r\n",
        )
        .expect("valid");
        assert!(keep_alive && head.expects_continue && head.upgrade.is_none());
        assert_eq!(head.length, BodyLength::Exact(3));
        assert_eq!(head.authority.as_str(), "a.example:8443");
        let names: Vec<_> = head.fields.iter().map(|(_, n, _)| n.to_vec()).collect();
        assert_eq!(names, [b"Mcp-Name".to_vec()]);
    }

    /// Thousands of them would be looked for among a hundred fields.
    #[test]
    fn options_of_a_connection_are_as_many_as_fields() {
        let options = |count: usize| {
            let options = "X-A, ".repeat(count);
            parse(&format!(
                "GET / HTTP/1.1\r\nHost: h\r\nConnection: {options}close\r\nX-A: 1\r\nX-B: 2\r\n\r\n"
            ))
        };
        let (head, keep_alive) = options(100).expect("valid");
        assert_eq!((head.fields.len(), keep_alive), (1, false));
        assert_eq!(options(101).err(), Some(RequestError::TooManyFields));
    }

    #[test]
    fn connection_persistence() {
        let keeps = |head: &str| parse(head).expect(head).1;
        assert!(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(!keeps(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, CLOSE\r\n\r\n"
        ));
        assert!(!keeps("GET / HTTP/1.0\r\n\r\n"));
        assert!(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    }

    #[test]
    fn absolute_form_overrides_host() {
        let (head, _) = parse("GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n").expect("valid");
        assert_eq!(head.authority.as_str(), "b");
    }

    #[test]
    fn nominated_credentials_stay() {
        let (head, _) = parse(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Authorization, x-a\r\nAuthorization: t\r\nX-A: 1\r\n\r\n",
        )
        .expect("valid");
        assert_eq!(head.fields.len(), 1);
    }

    #[test]
    fn upgrades() {
        let upgrade = |value: &str| {
            parse(&format!(
                "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: {value}\r\n\r\n"
            ))
            .expect(value)
            .0
            .upgrade
        };
        assert_eq!(upgrade("WebSocket"), Some(Upgrade::WebSocket));
        assert_eq!(upgrade("h2c, websocket"), Some(Upgrade::WebSocket));
        assert_eq!(upgrade("h2c"), None);
        assert_eq!(upgrade("TLS/1.0"), Some(Upgrade::Other));
    }

    #[test]
    fn mistakes_and_their_statuses() {
        for (status, head) in [
            (400, "GET / HTTP/1.1\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
            (
                400,
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            ),
            (
                400,
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
            (
                400,
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n",
            ),
            (
                400,
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
            ),
            (
                400,
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
            ),
            (
                501,
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            ),
            (400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost : h\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n"),
            (400, "G@T / HTTP/1.1 x\r\nHost: h\r\n\r\n"),
            (400, "GET * HTTP/1.1\r\nHost: h\r\n\r\n"),
            (505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
            (400, "GET / HTTQ/1.1\r\nHost: h\r\n\r\n"),
            (400, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"),
            (400, "CONNECT / HTTP/1.1\r\nHost: h\r\n\r\n"),
        ] {
            let error = parse(head).expect_err(head);
            assert_eq!(error.status().as_u16(), status, "{head:?}: {error}");
        }
    }
    #[test]
    fn higher_minor_versions_are_the_highest_that_is_understood() {
        for version in ["1.2", "1.9"] {
            let text = format!("GET /a HTTP/{version}\r\nHost: h\r\nX: HTTP/1.2\r\n\r\n");
            let (head, keep_alive) = parse(&text).expect(&text);
            assert_eq!(head.version, Version::Http11, "{version}");
            assert!(keep_alive, "as it is in 1.1");
            assert_eq!(head.fields.values_of("x").next(), Some(&b"HTTP/1.2"[..]));
            for end in 1..text.len() {
                check_partial(&text.as_bytes()[..end]).expect("nothing is wrong with it");
            }
        }
        for (status, line) in [
            (505, "GET / HTTP/2.0"),
            (505, "GET / HTTP/0.9"),
            (400, "GET / HTTP/1.10"),
            (400, "GET / HTTP/1.x"),
            (505, "GET / HTTP/1.2 HTTP/1.2"),
            (400, "GET / http/1.2"),
        ] {
            let error = parse(&format!("{line}\r\nHost: h\r\n\r\n")).expect_err(line);
            assert_eq!(error.status().as_u16(), status, "{line}");
        }
        // What is smuggled in 1.1 is so in 1.2.
        let both =
            "POST / HTTP/1.2\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(parse(both), Err(RequestError::Framing(_))));
        assert!(matches!(
            parse("GET / HTTP/1.2\r\n\r\n"),
            Err(RequestError::Host)
        ));
    }
}
