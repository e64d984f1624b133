//! Malformed HTTP/1.1 requests, one a line, with the statuses that are right answers to each; those whose
//! framing is wrong are in `framing`.
//!
//! 400 unless an RFC names another: 431 for large heads (RFC 6585 §5), 414 for long targets, 505 for
//! versions (RFC 9110 §15.6.6), 501 for transfer codings that are not understood (RFC 9112 §6.1).

/// Where the mistake is.
pub(super) enum Bad {
    /// In the request line; an ordinary head follows.
    Line(&'static [u8]),
    /// In one field line of an otherwise good POST with a body of five bytes.
    Field(&'static [u8]),
    /// In the body of a POST with `Transfer-Encoding: chunked`.
    Chunks(&'static [u8]),
    /// Anywhere: these are all the bytes.
    Raw(&'static [u8]),
    /// In the size of the head.
    Made(fn() -> Vec<u8>),
    /// In the size of the framing of a chunked body.
    MadeChunks(fn() -> Vec<u8>),
}

impl Bad {
    /// The bytes to send.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Line(line) => [line, &b"\r\nHost: localhost\r\n\r\n"[..]].concat(),
            Field(field) => [
                b"POST / HTTP/1.1\r\nHost: localhost\r\n",
                *field,
                b"\r\n\r\nhello",
            ]
            .concat(),
            Chunks(chunks) => [CHUNKED, chunks].concat(),
            Raw(bytes) => bytes.to_vec(),
            Made(make) => make(),
            MadeChunks(make) => [CHUNKED, &make()].concat(),
        }
    }

    /// The head is faultless and may be on its way before the body turns out to be bad.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self, Chunks(_) | MadeChunks(_))
    }
}

/// The faultless head of the requests whose mistake is in the body.
const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Mark: faultless-head\r\nTransfer-Encoding: chunked\r\n\r\n";

use Bad::{Chunks, Field, Line, Made, MadeChunks, Raw};

/// Name, right answers, request.
pub(super) type Row = (&'static str, &'static [u16], Bad);

#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    // The request line.
    ("method is no token",           &[400],      Line(b"GE(T / HTTP/1.1")),
    ("method is empty",              &[400],      Line(b" / HTTP/1.1")),
    ("control in method",            &[400],      Line(b"GE\x01T / HTTP/1.1")),
    ("leading space",                &[400],      Line(b" GET / HTTP/1.1")),
    ("two spaces before target",     &[400],      Line(b"GET  / HTTP/1.1")),
    ("two spaces before version",    &[400, 505], Line(b"GET /  HTTP/1.1")),
    ("tab instead of space",         &[400],      Line(b"GET\t/ HTTP/1.1")),
    ("space after version",          &[400, 505], Line(b"GET / HTTP/1.1 ")),
    ("no version",                   &[400, 505], Line(b"GET /")),
    ("no target",                    &[400],      Line(b"GET HTTP/1.1")),
    ("version in lower case",        &[400, 505], Line(b"GET / http/1.1")),
    ("version 1.10",                 &[400, 505], Line(b"GET / HTTP/1.10")),
    ("version 0.9",                  &[400, 505], Line(b"GET / HTTP/0.9")),
    ("version 2.0",                  &[400, 505], Line(b"GET / HTTP/2.0")),
    ("version with comma",           &[400, 505], Line(b"GET / HTTP/1,1")),
    ("bare CR in line",              &[400],      Line(b"GET /\rx HTTP/1.1")),
    ("NUL in target",                &[400],      Line(b"GET /\0 HTTP/1.1")),
    ("DEL in target",                &[400],      Line(b"GET /\x7f HTTP/1.1")),
    ("non-ASCII target",             &[400],      Line(b"GET /caf\xc3\xa9 HTTP/1.1")),
    ("fragment in target",           &[400],      Line(b"GET /a#b HTTP/1.1")),
    ("percent without digits",       &[400],      Line(b"GET /%zz HTTP/1.1")),
    ("percent cut short",            &[400],      Line(b"GET /a%2 HTTP/1.1")),
    ("encoded NUL in path",          &[400],      Line(b"GET /a%00b HTTP/1.1")),
    ("target without slash",         &[400],      Line(b"GET a/b HTTP/1.1")),
    ("asterisk with GET",            &[400],      Line(b"GET * HTTP/1.1")),
    ("absolute without authority",   &[400],      Line(b"GET http:///a HTTP/1.1")),
    ("absolute with user",           &[400],      Line(b"GET http://me@localhost/ HTTP/1.1")),
    ("absolute of another scheme",   &[400, 421], Line(b"GET ftp://localhost/ HTTP/1.1")),
    ("CONNECT",                      &[400, 405, 501], Line(b"CONNECT localhost:22 HTTP/1.1")),
    ("leading garbage",              &[400],      Line(b"\x00\xff\xfe\x01GET / HTTP/1.1")),
    ("HTTP/2 preface",               &[400, 505], Raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    ("a TLS hello",                  &[400],      Raw(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n")),
    ("vertical tab instead of space", &[400],     Line(b"GET\x0b/ HTTP/1.1")),
    ("form feed in line",            &[400],      Line(b"GET /\x0c HTTP/1.1")),
    ("two CRs end the line",         &[400],      Line(b"GET / HTTP/1.1\r")),
    ("LF before the line",           &[400],      Line(b"\nGET / HTTP/1.1")),
    ("two targets",                  &[400, 505], Line(b"GET / /x HTTP/1.1")),
    ("two versions",                 &[400, 505], Line(b"GET / HTTP/1.1 HTTP/1.1")),
    ("tab after version",            &[400, 505], Line(b"GET / HTTP/1.1\t")),
    ("version with leading zero",    &[400, 505], Line(b"GET / HTTP/01.1")),
    ("version with plus",            &[400, 505], Line(b"GET / HTTP/+1.1")),
    ("version cut short",            &[400, 505], Line(b"GET / HTTP/1.")),
    ("space in version",             &[400, 505], Line(b"GET / HTTP /1.1")),
    ("another protocol",             &[400, 505], Line(b"GET / ICY/1.1")),
    ("HTTP/0.9",                     &[400, 505], Raw(b"GET /\r\n")),
    ("absolute with space",          &[400, 505], Line(b"GET http://local host/ HTTP/1.1")),
    ("absolute with a bad port",     &[400],      Line(b"GET http://localhost:99999/ HTTP/1.1")),
    ("absolute with one slash",      &[400],      Line(b"GET http:/localhost/ HTTP/1.1")),
    ("absolute with backslash",      &[400],      Line(b"GET http://localhost\\@other/ HTTP/1.1")),
    ("authority with GET",           &[400],      Line(b"GET localhost:80 HTTP/1.1")),
    ("authority with OPTIONS",       &[400],      Line(b"OPTIONS localhost HTTP/1.1")),
    ("path with CONNECT",            &[400, 405, 501], Line(b"CONNECT / HTTP/1.1")),
    ("backslash first in target",    &[400],      Line(b"GET \\\\other\\x HTTP/1.1")),
    ("TRACE",                        &[405, 501], Line(b"TRACE / HTTP/1.1\r\nConnection: close")),
    ("TRACE of a proxy",             &[405, 501], Line(b"TRACE / HTTP/1.1\r\nMax-Forwards: 0\r\nConnection: close")),

    // Host.
    ("no Host",                      &[400],      Raw(b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n")),
    ("two Hosts",                    &[400],      Field(b"Host: other")),
    ("the same Host twice",          &[400],      Field(b"Host: localhost")),
    ("space in Host",                &[400],      Raw(b"GET / HTTP/1.1\r\nHost: local host\r\n\r\n")),
    ("path in Host",                 &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost/x\r\n\r\n")),
    ("user in Host",                 &[400],      Raw(b"GET / HTTP/1.1\r\nHost: me@localhost\r\n\r\n")),
    ("port in Host is no number",    &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost:8o\r\n\r\n")),
    ("port in Host too large",       &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost:65536\r\n\r\n")),
    ("empty label in Host",          &[400],      Raw(b"GET / HTTP/1.1\r\nHost: a..b\r\n\r\n")),
    ("list in Host",                 &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost, other\r\n\r\n")),
    ("empty Host",                   &[400, 404, 421], Raw(b"GET / HTTP/1.1\r\nHost:\r\n\r\n")),
    ("fragment in Host",             &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost#x\r\n\r\n")),
    ("query in Host",                &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost?x\r\n\r\n")),
    ("backslash in Host",            &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost\\x\r\n\r\n")),
    ("scheme in Host",               &[400],      Raw(b"GET / HTTP/1.1\r\nHost: http://localhost\r\n\r\n")),
    ("two ports in Host",            &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost:80:80\r\n\r\n")),
    ("space before port in Host",    &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost: 80\r\n\r\n")),
    ("minus in port of Host",        &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost:-80\r\n\r\n")),
    ("percent in Host",              &[400],      Raw(b"GET / HTTP/1.1\r\nHost: %6cocalhost\r\n\r\n")),
    ("semicolon in Host",            &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost;x\r\n\r\n")),
    ("non-ASCII Host",               &[400],      Raw(b"GET / HTTP/1.1\r\nHost: loc\xc3\xa4lhost\r\n\r\n")),
    ("bracket left open in Host",    &[400],      Raw(b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n")),
    ("IPv6 without brackets in Host", &[400],     Raw(b"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n")),
    ("more behind the bracket of Host", &[400],   Raw(b"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n")),
    ("space before colon of Host",   &[400],      Raw(b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n")),
    ("folded Host",                  &[400],      Raw(b"GET / HTTP/1.1\r\nHost:\r\n localhost\r\n\r\n")),
    ("second Host folded away",      &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n Host: other\r\n\r\n")),
    ("two Hosts and an absolute target", &[400],  Raw(b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n")),
    ("bad Host beside an absolute target", &[400], Raw(b"GET http://localhost/ HTTP/1.1\r\nHost: a b\r\n\r\n")),
    ("no Host beside an absolute target", &[400], Raw(b"GET http://localhost/ HTTP/1.1\r\nAccept: */*\r\n\r\n")),

    // Field lines.
    ("space before colon",           &[400],      Field(b"X-A : 1\r\nContent-Length: 5")),
    ("tab before colon",             &[400],      Field(b"X-A\t: 1\r\nContent-Length: 5")),
    ("line without colon",           &[400],      Field(b"X-A\r\nContent-Length: 5")),
    ("empty name",                   &[400],      Field(b": 1\r\nContent-Length: 5")),
    ("name is no token",             &[400],      Field(b"X(A: 1\r\nContent-Length: 5")),
    ("NUL in name",                  &[400],      Field(b"X\0A: 1\r\nContent-Length: 5")),
    ("non-ASCII name",               &[400],      Field(b"X-\xc3\xa9: 1\r\nContent-Length: 5")),
    ("NUL in value",                 &[400],      Field(b"X-A: a\0b\r\nContent-Length: 5")),
    ("control in value",             &[400],      Field(b"X-A: a\x01b\r\nContent-Length: 5")),
    ("DEL in value",                 &[400],      Field(b"X-A: a\x7fb\r\nContent-Length: 5")),
    ("bare CR in value",             &[400],      Field(b"X-A: a\rb\r\nContent-Length: 5")),
    ("bare CR hides a field",        &[400],      Field(b"X-A: a\rTransfer-Encoding: chunked\r\nContent-Length: 5")),
    ("bare LF ends a line",          &[400],      Field(b"X-A: a\nX-B: b\r\nContent-Length: 5")),
    ("bare LF everywhere",           &[400],      Raw(b"GET / HTTP/1.1\nHost: localhost\n\n")),
    ("bare LF ends the head",        &[400],      Raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\n")),
    ("folded value",                 &[400],      Field(b"X-A: a\r\n b\r\nContent-Length: 5")),
    ("folded with a tab",            &[400],      Field(b"X-A: a\r\n\tb\r\nContent-Length: 5")),
    ("folded first field",           &[400],      Raw(b"GET / HTTP/1.1\r\n X: y\r\nHost: localhost\r\n\r\n")),
    ("folded Transfer-Encoding",     &[400],      Field(b"Transfer-Encoding:\r\n chunked")),
    ("vertical tab before colon",    &[400],      Field(b"Transfer-Encoding\x0b: chunked\r\nContent-Length: 5")),
    ("CR before colon",              &[400],      Field(b"Transfer-Encoding\r: chunked\r\nContent-Length: 5")),
    ("space within framing name",    &[400],      Field(b"Transfer Encoding: chunked\r\nContent-Length: 5")),
    ("hard space before colon",      &[400],      Field(b"Transfer-Encoding\xa0: chunked\r\nContent-Length: 5")),
    ("obs-text before name",         &[400],      Field(b"\xffTransfer-Encoding: chunked\r\nContent-Length: 5")),
    ("quoted name",                  &[400],      Field(b"\"X-A\": 1\r\nContent-Length: 5")),
    ("slash in name",                &[400],      Field(b"X/A: 1\r\nContent-Length: 5")),
    ("brackets in name",             &[400],      Field(b"X[A]: 1\r\nContent-Length: 5")),
    ("at sign in name",              &[400],      Field(b"@X-A: 1\r\nContent-Length: 5")),
    ("form feed in value",           &[400],      Field(b"X-A: \x0c\r\nContent-Length: 5")),
    ("escape in value",              &[400],      Field(b"X-A: \x1b[31m\r\nContent-Length: 5")),
    ("folded with vertical tab",     &[400],      Field(b"X-A: a\r\n\x0bb\r\nContent-Length: 5")),
    ("two CRs end a line",           &[400],      Field(b"X-A: a\r\r\nContent-Length: 5")),
    ("LF CR ends a line",            &[400],      Field(b"X-A: a\n\rContent-Length: 5")),
    ("bare CR first in a line",      &[400],      Field(b"X-A: a\r\n\rContent-Length: 5")),
    ("bare CR everywhere",           &[400],      Raw(b"GET / HTTP/1.1\rHost: localhost\r\r")),
    ("second request line in the head", &[400],   Field(b"GET /other HTTP/1.1\r\nContent-Length: 5")),

    // Sizes.
    ("endless request line",         &[414, 431], Made(|| [&b"GET /"[..], &[b'a'; 40_000]].concat())),
    ("large target",                 &[414], Made(|| [b"GET /", &[b'a'; 40_000][..], b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat())),
    ("large field",                  &[431],      Made(|| [b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ", &[b'a'; 40_000][..], b"\r\n\r\n"].concat())),
    ("endless name",                 &[431],      Made(|| [b"GET / HTTP/1.1\r\nHost: localhost\r\n", &[b'a'; 40_000][..]].concat())),
    ("too many fields",              &[431],      Made(|| [b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"A: b\r\n".repeat(101).as_slice(), b"\r\n"].concat())),
];
