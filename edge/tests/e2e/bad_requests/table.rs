//! Malformed HTTP/1.1 requests, one a line, with the statuses that are right answers to each.
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
#[rustfmt::skip]
pub(super) const TABLE: &[(&str, &[u16], Bad)] = &[
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

    // Content-Length.
    ("both lengths",                 &[400],      Field(b"Content-Length: 5\r\nTransfer-Encoding: chunked")),
    ("both lengths, other order",    &[400],      Field(b"Transfer-Encoding: chunked\r\nContent-Length: 5")),
    ("two lengths",                  &[400],      Field(b"Content-Length: 5\r\nContent-Length: 6")),
    ("the same length twice",        &[400],      Field(b"Content-Length: 5\r\nContent-Length: 5")),
    ("list of lengths",              &[400],      Field(b"Content-Length: 5, 5")),
    ("plus sign",                    &[400],      Field(b"Content-Length: +5")),
    ("minus sign",                   &[400],      Field(b"Content-Length: -5")),
    ("hexadecimal",                  &[400],      Field(b"Content-Length: 0x5")),
    ("fraction",                     &[400],      Field(b"Content-Length: 5.0")),
    ("empty length",                 &[400],      Field(b"Content-Length:")),
    ("length with letter",           &[400],      Field(b"Content-Length: 5a")),
    ("length with space",            &[400],      Field(b"Content-Length: 5 5")),
    ("length with underscore",       &[400],      Field(b"Content-Length: 1_0")),
    ("length over 64 bits",          &[400, 413], Field(b"Content-Length: 18446744073709551621")),
    ("length of forty digits",       &[400, 413], Field(b"Content-Length: 1111111111222222222233333333334444444444")),

    // Transfer-Encoding.
    ("gzip only",                    &[400, 501], Field(b"Transfer-Encoding: gzip")),
    ("chunked, gzip",                &[400, 501], Field(b"Transfer-Encoding: chunked, gzip")),
    ("gzip, chunked",                &[400, 501], Field(b"Transfer-Encoding: gzip, chunked")),
    ("chunked twice",                &[400, 501], Field(b"Transfer-Encoding: chunked, chunked")),
    ("chunked in two lines",         &[400],      Field(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
    ("identity, then chunked",       &[400, 501], Field(b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked")),
    ("identity",                     &[400, 501], Field(b"Transfer-Encoding: identity")),
    ("xchunked",                     &[400, 501], Field(b"Transfer-Encoding: xchunked")),
    ("chunked with parameter",       &[400, 501], Field(b"Transfer-Encoding: chunked;q=1")),
    ("quoted chunked",               &[400, 501], Field(b"Transfer-Encoding: \"chunked\"")),
    ("vertical tab and chunked",     &[400, 501], Field(b"Transfer-Encoding: \x0bchunked")),
    ("empty first coding",           &[400, 501], Field(b"Transfer-Encoding: ,chunked")),
    ("empty last coding",            &[400, 501], Field(b"Transfer-Encoding: chunked,")),
    ("two colons",                   &[400, 501], Field(b"Transfer-Encoding:: chunked")),
    ("Kelvin sign in chunked",       &[400, 501], Field(b"Transfer-Encoding: chun\xe2\x84\xaaed")),
    ("cow behind chunked",           &[400, 501], Field(b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow")),
    ("empty coding",                 &[400, 501], Field(b"Transfer-Encoding:")),
    ("chunked over HTTP/1.0",        &[400],      Raw(b"POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),

    // Chunks.
    ("size is no number",            &[400], Chunks(b"xyz\r\nhello\r\n0\r\n\r\n")),
    ("size is negative",             &[400], Chunks(b"-5\r\nhello\r\n0\r\n\r\n")),
    ("size with plus",               &[400], Chunks(b"+5\r\nhello\r\n0\r\n\r\n")),
    ("size with 0x",                 &[400], Chunks(b"0x5\r\nhello\r\n0\r\n\r\n")),
    ("size is empty",                &[400], Chunks(b"\r\nhello\r\n0\r\n\r\n")),
    ("size after a space",           &[400], Chunks(b" 5\r\nhello\r\n0\r\n\r\n")),
    ("size over 64 bits",            &[400], Chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n")),
    ("size of endless zeros",        &[400], MadeChunks(|| chunk_line(b'0'))),
    ("size with underscore",         &[400], Chunks(b"0_5\r\nhello\r\n0\r\n\r\n")),
    ("space after size",             &[400], Chunks(b"5 \r\nhello\r\n0\r\n\r\n")),
    ("bare LF after semicolon",      &[400], Chunks(b"5;\nxx\r\n41\r\n0\r\n\r\n")),
    ("bare LF after the last size",  &[400], Chunks(b"5\r\nhello\r\n0\n\r\n")),
    ("bare LF at the end",           &[400], Chunks(b"5\r\nhello\r\n0\r\n\n")),
    ("framing in trailer",           &[400], Chunks(b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n")),
    ("bare LF after size",           &[400], Chunks(b"5\nhello\r\n0\r\n\r\n")),
    ("bare CR after size",           &[400], Chunks(b"5\rXhello\r\n0\r\n\r\n")),
    ("bare LF in extension",         &[400], Chunks(b"5;a\nhello\r\n0\r\n\r\n")),
    ("bare CR in extension",         &[400], Chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n")),
    ("endless extension",            &[400], MadeChunks(|| chunk_line(b';'))),
    ("chunk longer than its size",   &[400], Chunks(b"4\r\nhello\r\n0\r\n\r\n")),
    ("chunk ends with LF",           &[400], Chunks(b"5\r\nhello\n0\r\n\r\n")),
    ("chunk ends with other bytes",  &[400], Chunks(b"5\r\nhelloXX0\r\n\r\n")),
    ("bad trailer",                  &[400], Chunks(b"5\r\nhello\r\n0\r\nX A: 1\r\n\r\n")),
    ("folded trailer",               &[400], Chunks(b"5\r\nhello\r\n0\r\nX-A: 1\r\n 2\r\n\r\n")),
    ("endless trailers",             &[400, 431], MadeChunks(endless_trailers)),

    // Sizes.
    ("endless request line",         &[414, 431], Made(|| [&b"GET /"[..], &[b'a'; 40_000]].concat())),
    ("large target",                 &[414], Made(|| [b"GET /", &[b'a'; 40_000][..], b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat())),
    ("large field",                  &[431],      Made(|| [b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ", &[b'a'; 40_000][..], b"\r\n\r\n"].concat())),
    ("endless name",                 &[431],      Made(|| [b"GET / HTTP/1.1\r\nHost: localhost\r\n", &[b'a'; 40_000][..]].concat())),
    ("too many fields",              &[431],      Made(|| [b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"A: b\r\n".repeat(101).as_slice(), b"\r\n"].concat())),
];

/// A chunk line that starts well and never ends.
fn chunk_line(filler: u8) -> Vec<u8> {
    [vec![b'5'], vec![filler; 70_000]].concat()
}

/// Trailers beyond the bound of a head.
fn endless_trailers() -> Vec<u8> {
    [b"0\r\n".to_vec(), b"X-A: trailer\r\n".repeat(4_000)].concat()
}
