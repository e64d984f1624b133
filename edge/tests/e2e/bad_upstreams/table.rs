//! What a bad upstream sends in answer to a request, and what the client must see of it.

use std::time::Duration;

use crate::support::Answer;

/// What the upstream does.
pub(super) enum Does {
    /// Sends this and closes.
    Close(&'static [u8]),
    /// Sends this and neither speaks nor closes.
    Hold(&'static [u8]),
    /// Sends a large head.
    Large(fn() -> Vec<u8>),
    /// Sends this and resets the connection.
    Reset(&'static [u8]),
    /// Sends this byte by byte and closes.
    Slowly(&'static [u8]),
    /// Sends this forever.
    Forever(&'static [u8]),
}

impl From<&Does> for Answer {
    fn from(does: &Does) -> Answer {
        match does {
            Close(bytes) => Answer::Close(bytes.to_vec()),
            Hold(bytes) => Answer::Hold(bytes.to_vec()),
            Large(make) => Answer::Close(make()),
            Reset(bytes) => Answer::Reset(bytes.to_vec()),
            Slowly(bytes) => Answer::Slowly(bytes.to_vec()),
            Forever(bytes) => Answer::Repeat(bytes.to_vec(), Duration::from_millis(1)),
        }
    }
}

/// What the client sees.
#[derive(Debug)]
pub(super) enum Expect {
    /// One of these statuses with a short body.
    Gateway(&'static [u16]),
    /// An answer that visibly breaks off: no last chunk, too few bytes, a reset stream.
    Aborted,
    /// Either of these: what has come before a reset may be lost with it.
    Failed,
    /// This status and no content.
    Bare(u16),
    /// 200 with exactly this body.
    Ok(&'static str),
}

use Does::{Close, Forever, Hold, Large, Reset, Slowly};
use Expect::{Aborted, Bare, Failed, Gateway, Ok};

/// The upstream's fault.
const BAD: Expect = Gateway(&[502]);
/// The upstream's slowness.
const LATE: Expect = Gateway(&[504]);

/// Name, what the upstream does, what the client sees.
#[rustfmt::skip]
pub(super) const TABLE: &[(&str, Does, Expect)] = &[
    ("closes without a word",        Close(b""), BAD),
    ("closes within the head",       Close(b"HTTP/1.1 200 OK\r\nContent-Le"), BAD),
    ("garbage",                      Close(b"\x00\xff\x01 garbage \r\n\r\n"), BAD),
    ("another protocol",             Close(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), BAD),
    ("HTTP/0.9",                     Close(b"<html>hello</html>"), BAD),
    ("bad version",                  Close(b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("status of four digits",        Close(b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("status is no number",          Close(b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("status below 100",             Close(b"HTTP/1.1 099 No\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("both lengths",                 Close(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), BAD),
    ("two lengths",                  Close(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"), BAD),
    ("signed length",                Close(b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"), BAD),
    ("length over 64 bits",          Close(b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nok"), BAD),
    ("unknown transfer coding",      Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok"), BAD),
    ("vertical tab and chunked",     Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), BAD),
    ("empty line first",             Close(b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("folded field",                 Close(b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("bare LF ends a line",          Close(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), BAD),
    ("nothing after interim",        Close(b"HTTP/1.1 103 Early Hints\r\n\r\n"), BAD),
    ("space before colon",           Close(b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"), BAD),
    ("NUL in a value",               Close(b"HTTP/1.1 200 OK\r\nX-A: \0\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("bare CR in a value",           Close(b"HTTP/1.1 200 OK\r\nX-A: a\rX-B: b\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("large head",                   Large(large_head), BAD),
    ("too many fields",              Large(many_fields), BAD),
    ("endless head",                 Forever(b"HTTP/1.1 200 OK\r\nX-A: "), Gateway(&[502, 504])),
    ("endless interim answers",      Forever(b"HTTP/1.1 100 Continue\r\n\r\n"), Gateway(&[502, 504])),
    ("switches protocols unasked",   Close(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), BAD),
    ("two status lines",             Close(b"HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("the same length twice",        Close(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("chunked twice",                Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), BAD),
    ("chunked over HTTP/1.0",        Close(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), BAD),
    ("length and coding over HTTP/1.0", Close(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), BAD),
    ("status of two digits",         Close(b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("status above 599",             Close(b"HTTP/1.1 600 Odd\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("status with plus",             Close(b"HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("status against its reason",    Close(b"HTTP/1.1 200OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("two spaces before status",     Close(b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("space before version",         Close(b" HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("version in lower case",        Close(b"http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("version 2.0",                  Close(b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("bare CR in reason",            Close(b"HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("NUL in reason",                Close(b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("name is no token",             Close(b"HTTP/1.1 200 OK\r\nX(A: b\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("empty name",                   Close(b"HTTP/1.1 200 OK\r\n: b\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("line without colon",           Close(b"HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("vertical tab before colon",    Close(b"HTTP/1.1 200 OK\r\nContent-Length\x0b: 2\r\n\r\nok"), BAD),
    ("two CRs end a line",           Close(b"HTTP/1.1 200 OK\r\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("folded length",                Close(b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok"), BAD),
    ("list of lengths",              Close(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"), BAD),
    ("empty length",                 Close(b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok"), BAD),
    ("hexadecimal length",           Close(b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok"), BAD),
    ("chunked, gzip",                Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n"), BAD),
    ("chunked in two lines",         Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), BAD),
    ("chunked, then identity",       Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\nok"), BAD),
    ("identity",                     Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok"), BAD),
    ("101 without what it switches to", Close(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), BAD),
    ("both lengths in an interim answer", Close(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), BAD),
    ("large interim answer",         Large(large_interim), BAD),
    ("resets without a word",        Reset(b""), BAD),
    ("resets within the head",       Reset(b"HTTP/1.1 200 OK\r\nContent-Le"), BAD),
    ("resets within a body",         Reset(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), Failed),
    ("resets where it should close", Reset(b"HTTP/1.1 200 OK\r\n\r\nuntil the close"), Failed),
    ("silence after 100",            Hold(b"HTTP/1.1 100 Continue\r\n\r\n"), LATE),
    ("silence",                      Hold(b""), LATE),
    ("silence within the head",      Hold(b"HTTP/1.1 200 OK\r\nContent-Le"), LATE),
    ("body shorter than its length", Close(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), Aborted),
    ("body of known length stalls",  Hold(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), Aborted),
    ("no last chunk",                Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), Aborted),
    ("closes within a chunk",        Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), Aborted),
    ("closes within trailers",       Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: "), Aborted),
    ("chunk size is no number",      Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n"), Aborted),
    ("chunk size over 64 bits",      Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n"), Aborted),
    ("chunk without its end",        Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n"), Aborted),
    ("chunk size is negative",       Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"), Aborted),
    ("framing in a trailer",         Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n"), Aborted),
    ("space before chunk size",      Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n"), Aborted),
    ("space after chunk size",       Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"), Aborted),
    ("chunk size with 0x",           Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"), Aborted),
    ("chunk size with plus",         Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n"), Aborted),
    ("bare LF after chunk size",     Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"), Aborted),
    ("bare LF after a chunk",        Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n"), Aborted),
    ("bare LF in an extension",      Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n"), Aborted),
    ("bare LF at the end",           Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\n"), Aborted),
    ("status line in a trailer",     Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nHTTP/1.1 200 OK\r\n\r\n"), Aborted),
    ("endless extension",            Large(endless_extension), Aborted),
    ("endless trailers",             Large(endless_trailers), Aborted),
    ("204 with content",             Close(b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil"), Bare(204)),
    ("204 with chunks",              Close(b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"), Bare(204)),
    ("304 with content",             Close(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil"), Bare(304)),
    ("304 with chunks",              Close(b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"), Bare(304)),
    ("interim answer with a length", Close(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Ok("ok")),
    ("interim answer with a coding", Close(b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Ok("ok")),
    ("no reason",                    Close(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"), Ok("ok")),
    ("obs-text in reason",           Close(b"HTTP/1.1 200 \xc3\xa9\r\nContent-Length: 2\r\n\r\nok"), Ok("ok")),
    ("length with zeros and spaces", Close(b"HTTP/1.1 200 OK\r\nContent-Length: \t 002 \r\n\r\nok"), Ok("ok")),
    ("coding in capitals",           Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \tCHUNKED \r\n\r\n2\r\nok\r\n000\r\n\r\n"), Ok("ok")),
    ("bytes after the last chunk",   Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), Ok("ok")),
    ("byte by byte",                 Slowly(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Ok("ok")),
    ("chunks byte by byte",          Slowly(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\nX-A: b\r\n\r\n"), Ok("ok")),
    ("100 first",                    Close(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Ok("ok")),
    ("bytes after the answer",       Close(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), Ok("ok")),
    ("interim answers first",        Close(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Ok("ok")),
    ("no length, then the close",    Close(b"HTTP/1.1 200 OK\r\n\r\nuntil the close"), Ok("until the close")),
    ("HTTP/1.0",                     Close(b"HTTP/1.0 200 OK\r\n\r\nold"), Ok("old")),
];

fn large_head() -> Vec<u8> {
    let filler = vec![b'a'; 40_000];
    [
        b"HTTP/1.1 200 OK\r\nX-A: ",
        &filler[..],
        b"\r\nContent-Length: 2\r\n\r\nok",
    ]
    .concat()
}

fn many_fields() -> Vec<u8> {
    let fields = b"A: b\r\n".repeat(200);
    [
        b"HTTP/1.1 200 OK\r\n",
        &fields[..],
        b"Content-Length: 2\r\n\r\nok",
    ]
    .concat()
}

fn large_interim() -> Vec<u8> {
    let filler = vec![b'a'; 40_000];
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: ",
        &filler[..],
        b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ]
    .concat()
}

const CHUNK: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

fn endless_extension() -> Vec<u8> {
    [CHUNK, b"5;", &[b'x'; 70_000], b"\r\nhello\r\n0\r\n\r\n"].concat()
}

fn endless_trailers() -> Vec<u8> {
    [CHUNK, b"0\r\n", &b"X-A: trailer\r\n".repeat(4_000), b"\r\n"].concat()
}
