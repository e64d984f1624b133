//! The field section of a request as HTTP/2 and HTTP/3 carry it (RFC 9113 §8.3, RFC 9114 §4.3).
//!
//! Lines are added as they are decoded, and judged at once: what makes a message malformed ends it,
//! what is only unwelcome is answered with a status once the section is whole.

use http::{Method, StatusCode};

use super::trailer::{frames_by_another_name, may_trail};
use super::{Authority, BodyLength, Fields, Name, RequestHead, Target, Upgrade, Version, h1};

/// Why a request head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionError {
    /// It is not a message of the protocol: the stream is reset.
    Malformed,
    /// It is answered with this status.
    Refused(StatusCode),
}

/// A request's field section in the making.
pub struct RequestSection {
    method: Option<Method>,
    has_scheme: bool,
    /// `:scheme` or `:path` came on the wire.
    names_resource: bool,
    protocol: Option<Upgrade>,
    authority: Option<Authority>,
    target: Option<Target>,
    host: Option<Authority>,
    length: Option<u64>,
    cookie: Vec<u8>,
    fields: Fields,
    expects_continue: bool,
    /// A field that is not a pseudo-field has been seen: no more of those may follow.
    in_fields: bool,
    count: usize,
    fields_max: usize,
    refused: Option<StatusCode>,
}

impl RequestSection {
    /// An empty section for at most `fields_max` fields; `bytes` is how large it may turn out.
    pub fn new(fields_max: usize, bytes: usize) -> RequestSection {
        RequestSection {
            method: None,
            has_scheme: false,
            names_resource: false,
            protocol: None,
            authority: None,
            target: None,
            host: None,
            length: None,
            cookie: Vec::new(),
            fields: Fields::with_capacity(24, bytes + 256),
            expects_continue: false,
            in_fields: false,
            count: 0,
            fields_max,
            refused: None,
        }
    }

    /// Adds a line as it came on the wire, pseudo-field or field.
    pub fn line(&mut self, name: &[u8], value: &[u8]) -> Result<(), SectionError> {
        match name.strip_prefix(b":") {
            Some(pseudo) => self.pseudo(pseudo, value),
            None => {
                if !is_lower_token(name) || !is_field_value(value) {
                    return Err(SectionError::Malformed);
                }
                self.field(name, value)
            }
        }
    }

    fn pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), SectionError> {
        let repeated = match name {
            b"method" => self.method.is_some(),
            b"scheme" => self.has_scheme,
            b"authority" => self.authority.is_some(),
            b"path" => self.target.is_some(),
            b"protocol" => self.protocol.is_some(),
            _ => true,
        };
        if repeated || self.in_fields || value.is_empty() {
            return Err(SectionError::Malformed);
        }
        self.names_resource |= matches!(name, b"scheme" | b"path");
        match name {
            b"method" => {
                let method = Method::from_bytes(value).map_err(|_| SectionError::Malformed)?;
                self.method(method);
            }
            b"scheme" if !is_scheme(value) => return Err(SectionError::Malformed),
            b"scheme" => self.has_scheme = true,
            b"authority" => self.authority(value)?,
            b"path" => self.path(value),
            _ => self.protocol(value),
        }
        Ok(())
    }

    /// Sets the method.
    pub fn method(&mut self, method: Method) {
        self.method = Some(method);
    }

    /// Sets `:protocol`, of extended CONNECT (RFC 8441 §4, RFC 9220).
    pub fn protocol(&mut self, value: &[u8]) {
        self.protocol = Some(match value {
            b"websocket" => Upgrade::WebSocket,
            _ => Upgrade::Other,
        });
    }

    /// Sets `:authority`.
    pub fn authority(&mut self, value: &[u8]) -> Result<(), SectionError> {
        self.authority = Some(Authority::parse(value).ok_or(SectionError::Malformed)?);
        Ok(())
    }

    /// Sets `:path`.
    pub fn path(&mut self, value: &[u8]) {
        match Target::parse(value) {
            Ok((target, None)) => self.target = Some(target),
            _ => self.refuse(StatusCode::BAD_REQUEST),
        }
    }

    /// Adds a field whose name is a token in lower case and whose value is clean.
    pub fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), SectionError> {
        self.in_fields = true;
        self.count += 1;
        if self.count > self.fields_max {
            self.refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
            return Ok(());
        }
        // RFC 9113 §8.2.1: no white space around a value.
        if value.trim_ascii().len() != value.len() {
            return Err(SectionError::Malformed);
        }
        let known = Name::of(name);
        if is_of_connection(known, value) {
            return Err(SectionError::Malformed);
        }
        match known {
            _ if frames_by_another_name(known, name) => {}
            Name::Te | Name::ProxyAuthorization => {}
            Name::Host => {
                let host = Authority::parse(value).ok_or(SectionError::Malformed)?;
                if self.host.replace(host).is_some() {
                    return Err(SectionError::Malformed);
                }
            }
            Name::ContentLength => {
                let length = h1::parse_length(value).ok_or(SectionError::Malformed)?;
                if self.length.replace(length).is_some() {
                    return Err(SectionError::Malformed);
                }
            }
            Name::Expect => {
                self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
            }
            // Crumbs are put together again for HTTP/1.1 (RFC 9113 §8.2.3, RFC 9114 §4.2.1).
            Name::Cookie => {
                if !self.cookie.is_empty() {
                    self.cookie.extend_from_slice(b"; ");
                }
                self.cookie.extend_from_slice(value);
            }
            _ => self.fields.push(name, value),
        }
        Ok(())
    }

    fn refuse(&mut self, status: StatusCode) {
        self.refused.get_or_insert(status);
    }

    /// Whether content is to be expected, or was announced: what comes is passed on as it comes.
    pub fn may_stream(&self) -> bool {
        let without = [
            &Method::GET,
            &Method::HEAD,
            &Method::OPTIONS,
            &Method::DELETE,
        ];
        match self.length {
            // What comes all the same makes it malformed: nobody else gets to see it first.
            Some(0) => false,
            Some(_) => true,
            None => !self.method.as_ref().is_some_and(|m| without.contains(&m)),
        }
    }

    /// The head; `ended` says that no content follows.
    pub fn finish(mut self, version: Version, ended: bool) -> Result<RequestHead, SectionError> {
        let method = self.method.ok_or(SectionError::Malformed)?;
        // An ordinary CONNECT asks for a tunnel, which is not made here.
        let is_connect = method == Method::CONNECT;
        match self.protocol {
            Some(Upgrade::WebSocket) if is_connect => {}
            None if !is_connect => {}
            // RFC 9113 §8.5, RFC 9114 §4.4: it names where it leads to, and nothing else.
            None if self.names_resource || self.authority.is_none() => {
                return Err(SectionError::Malformed);
            }
            _ if is_connect => return Err(SectionError::Refused(StatusCode::NOT_IMPLEMENTED)),
            _ => return Err(SectionError::Malformed),
        }
        if let Some(status) = self.refused {
            return Err(SectionError::Refused(status));
        }
        let target = self.target.ok_or(SectionError::Malformed)?;
        if !self.has_scheme {
            return Err(SectionError::Malformed);
        }
        if target.is_asterisk() && method != Method::OPTIONS {
            return Err(SectionError::Refused(StatusCode::BAD_REQUEST));
        }
        // One of the two, and both the same where there are both.
        let authority = match (self.authority, self.host) {
            (Some(pseudo), Some(host)) if pseudo == host => pseudo,
            (Some(one), None) | (None, Some(one)) => one,
            _ => return Err(SectionError::Malformed),
        };
        let length = match (ended, self.length) {
            (true, None | Some(0)) => BodyLength::Empty,
            (true, Some(_)) => return Err(SectionError::Malformed),
            (false, Some(n)) => BodyLength::Exact(n),
            (false, None) => BodyLength::Framed,
        };
        if !self.cookie.is_empty() {
            self.fields.push_known(Name::Cookie, &self.cookie);
        }
        Ok(RequestHead {
            method,
            target,
            authority,
            version,
            length,
            expects_continue: self.expects_continue,
            sent: None,
            upgrade: self.protocol,
            fields: self.fields,
        })
    }

    /// Sets `:scheme`; which one it is makes no difference.
    pub fn scheme(&mut self) {
        self.has_scheme = true;
    }
}

/// A line of a trailer section; `None` for one that is malformed there.
pub fn trailer_line(name: &[u8], value: &[u8], trailers: &mut Fields) -> Option<()> {
    if !is_lower_token(name) || !is_field_value(value) {
        return None;
    }
    let value = value.trim_ascii();
    if is_of_connection(Name::of(name), value) {
        return None;
    }
    if may_trail(name) {
        trailers.push(name, value);
    }
    Some(())
}

/// What is said of the connection is no part of a message (RFC 9113 §8.2.2, RFC 9114 §4.2).
fn is_of_connection(name: Name, value: &[u8]) -> bool {
    match name {
        Name::Connection
        | Name::KeepAlive
        | Name::ProxyConnection
        | Name::TransferEncoding
        | Name::Upgrade => true,
        Name::Te => !value.eq_ignore_ascii_case(b"trailers"),
        _ => false,
    }
}

/// RFC 9110 §5.6.2, without capitals (RFC 9114 §4.2).
fn is_lower_token(name: &[u8]) -> bool {
    let tchar = |b: &u8| match b {
        b'a'..=b'z' | b'0'..=b'9' => true,
        b => b"!#$%&'*+-.^_`|~".contains(b),
    };
    !name.is_empty() && name.iter().all(tchar)
}

/// RFC 3986 §3.1.
fn is_scheme(value: &[u8]) -> bool {
    let schar = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
    value.first().is_some_and(u8::is_ascii_alphabetic) && value.iter().all(schar)
}

/// RFC 9110 §5.5.
fn is_field_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|&b| b == b'\t' || (b >= 0x20 && b != 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: [(&str, &str); 4] = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "a.example"),
        (":path", "/x"),
    ];

    fn head(lines: &[(&str, &str)], ended: bool) -> Result<RequestHead, SectionError> {
        let mut section = RequestSection::new(8, 0);
        for (name, value) in lines {
            section.line(name.as_bytes(), value.as_bytes())?;
        }
        section.finish(Version::Http3, ended)
    }

    fn with(more: &[(&str, &str)]) -> Result<RequestHead, SectionError> {
        head(&[&GET, more].concat(), true)
    }

    #[test]
    fn a_request() {
        let got = with(&[
            ("cookie", "a=1"),
            ("x", "1"),
            ("cookie", "b=2"),
            ("te", "trailers"),
        ])
        .expect("valid");
        assert_eq!(got.fields.value(Name::Cookie), Some(&b"a=1; b=2"[..]));
        assert_eq!(got.fields.len(), 2);
        assert_eq!(got.length, BodyLength::Empty);
        assert!(with(&[("host", "A.example")]).is_ok());
        let no_authority = [GET[0], GET[1], GET[3], ("host", "h")];
        assert!(head(&no_authority, true).is_ok());
    }

    #[test]
    fn malformed_messages() {
        for more in [
            ("host", "b.example"),
            ("host", "a@b"),
            ("connection", "close"),
            ("keep-alive", "1"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-connection", "x"),
            ("te", "gzip"),
            ("X-Upper", "1"),
            ("sp ace", "1"),
            ("", "1"),
            ("x", "a\nb"),
            ("x", "a\0b"),
            ("content-length", "5"),
            ("content-length", "+0"),
            (":path", "/y"),
            (":status", "200"),
        ] {
            assert_eq!(
                with(&[more]).err(),
                Some(SectionError::Malformed),
                "{more:?}"
            );
        }
        for missing in 0..4 {
            let lines: Vec<_> = (0..4).filter(|i| *i != missing).map(|i| GET[i]).collect();
            assert_eq!(
                head(&lines, true).err(),
                Some(SectionError::Malformed),
                "{missing}"
            );
        }
        for scheme in ["ht tp", "https://", "1", "h\n"] {
            let lines = [GET[0], (":scheme", scheme), GET[2], GET[3]];
            let error = head(&lines, true).err();
            assert_eq!(error, Some(SectionError::Malformed), "{scheme}");
        }
        let connect = (":method", "CONNECT");
        for lines in [
            &[connect][..],
            &[connect, GET[2], GET[1]],
            &[connect, GET[2], GET[3]],
            &[connect, GET[2], (":path", "no path")],
            &[connect, GET[1], GET[2], GET[3]],
            &[connect, (":protocol", "websocket"), GET[1], GET[2]],
        ] {
            let error = head(lines, true).err();
            assert_eq!(error, Some(SectionError::Malformed), "{lines:?}");
        }
        let late = [("x", "1"), GET[0], GET[1], GET[2], GET[3]];
        assert_eq!(head(&late, true).err(), Some(SectionError::Malformed));
        let twice = [("content-length", "5"), ("content-length", "5")];
        assert_eq!(
            head(&[&GET[..], &twice].concat(), false).err(),
            Some(SectionError::Malformed)
        );
    }

    #[test]
    fn refused_requests() {
        let refused = |lines: &[(&str, &str)]| match head(lines, true) {
            Err(SectionError::Refused(status)) => status.as_u16(),
            other => panic!("{other:?}"),
        };
        let connect = [
            (":method", "CONNECT"),
            (":protocol", "connect-udp"),
            GET[2],
            GET[3],
        ];
        assert_eq!(refused(&connect), 501);
        assert_eq!(refused(&[connect[0], GET[2]]), 501);
        assert_eq!(refused(&[GET[0], GET[1], GET[2], (":path", "/../x")]), 400);
        assert_eq!(refused(&[GET[0], GET[1], GET[2], (":path", "*")]), 400);
        let many = [&GET[..], &[("x", "1"); 9]].concat();
        assert_eq!(refused(&many), 431);
    }
}
