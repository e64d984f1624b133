//! What a bad server of HTTP/2 sends, and what the client must see of it. Sections are of RFC 9113.

const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const WHOLE: u8 = END_STREAM | END_HEADERS;

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = &(payload.len() as u32).to_be_bytes()[1..];
    [length, &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A literal line without indexing (RFC 7541 §6.2.2).
fn line(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// `:status` 200, and lines behind it.
fn ok(flags: u8, lines: &[(&str, &str)]) -> Vec<u8> {
    let lines: Vec<u8> = lines.iter().flat_map(|(n, v)| line(n, v)).collect();
    frame(HEADERS, flags, 1, &[&[0x88], &lines[..]].concat())
}

fn head(block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, block)
}

fn content(flags: u8, text: &str) -> Vec<u8> {
    frame(DATA, flags, 1, text.as_bytes())
}

/// The whole of an answer.
fn answer() -> Vec<u8> {
    [ok(END_HEADERS, &[]), content(END_STREAM, "ok")].concat()
}

fn reset(code: u8) -> Vec<u8> {
    frame(RST_STREAM, 0, 1, &[0, 0, 0, code])
}

fn goaway(last: u8, code: u8) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[0, 0, 0, last, 0, 0, 0, code])
}

fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

fn setting(key: u8, value: u32) -> Vec<u8> {
    let payload = [&[0, key][..], &value.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, &payload)
}

/// What a server does.
pub(super) struct Row {
    pub(super) name: String,
    /// Sent before anything is received.
    pub(super) first: Vec<u8>,
    /// Sent when a request has come.
    pub(super) then: Vec<u8>,
    pub(super) closes: bool,
    /// The client gets one of these; 0 is an answer that breaks off.
    pub(super) statuses: Vec<u16>,
    pub(super) body: &'static str,
}

fn row(name: &str, then: &[Vec<u8>], statuses: &[u16]) -> Row {
    Row {
        name: name.to_owned(),
        first: frame(SETTINGS, 0, 0, &[]),
        then: then.concat(),
        closes: false,
        statuses: statuses.to_vec(),
        body: if statuses == [200] { "ok" } else { "" },
    }
}

#[rustfmt::skip]
pub(super) fn table() -> Vec<Row> {
    let begun = || ok(END_HEADERS, &[]);
    let many = |frame: Vec<u8>| frame.repeat(20_000);
    let closing = |row: Row| Row {
        closes: true,
        ..row
    };
    let first = |name: &str, first: &[u8], statuses: &[u16]| Row {
        first: first.to_vec(),
        ..row(name, &[], statuses)
    };
    let mut rows = vec![
        row("an answer", &[answer()], &[200]),
        closing(row("closes without a word", &[], &[502])),
        closing(row("closes within an answer", &[begun(), content(0, "o")], &[0])),
        closing(row("closes within a frame", &[begun(), content(END_STREAM, "ok")[..10].to_vec()], &[0])),
        row("silence", &[], &[504]),
        // §6.8, §6.4, §8.7.
        row("GOAWAY, and the stream goes on", &[begun(), goaway(1, 0), content(END_STREAM, "ok")], &[200]),
        closing(row("GOAWAY, and the end", &[begun(), content(0, "o"), goaway(1, 0)], &[0])),
        row("GOAWAY before the stream", &[goaway(0, 0)], &[503]),
        row("GOAWAY with an error", &[begun(), goaway(0, 2)], &[0]),
        row("reset behind the answer", &[answer(), reset(0)], &[200]),
        row("reset within the answer", &[begun(), content(0, "o"), reset(2)], &[0]),
        row("reset of a stream that there is not", &[frame(RST_STREAM, 0, 9, &[0, 0, 0, 8])], &[502]),
        // §4, §5, §6.
        row("no HPACK", &[head(b"\xff\xff\xff\xff\xff\xff")], &[502]),
        row("content before the head", &[content(END_STREAM, "ok")], &[502]),
        row("content of a stream that there is not", &[frame(DATA, 1, 9, b"x")], &[502]),
        row("content of the connection", &[frame(DATA, 1, 0, b"x")], &[502]),
        row("a frame that is too large", &[begun(), content(1, &"x".repeat(16_385))], &[0]),
        row("a push", &[frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02\x82\x87\x84")], &[502]),
        row("a stream of the server's", &[frame(HEADERS, WHOLE, 2, b"\x88")], &[502]),
        row("PING of the wrong size", &[frame(PING, 0, 0, b"1")], &[502]),
        row("SETTINGS of the wrong size", &[frame(SETTINGS, 0, 0, b"1")], &[502]),
        row("a frame size that is not allowed", &[setting(5, 1)], &[502]),
        row("a window that is not allowed", &[setting(4, 1 << 31)], &[502]),
        row("no window more", &[window(0, 0)], &[502]),
        row("too much window", &[window(0, i32::MAX as u32), window(0, i32::MAX as u32)], &[502]),
        // The library gives the stream up by itself, and tells nobody.
        row("too much window of a stream", &[window(1, i32::MAX as u32)], &[502, 504]),
        row("no streams more", &[setting(3, 0), answer()], &[200]),
        row("a small window", &[setting(4, 1), answer()], &[200]),
        row("another table", &[setting(1, 0), answer()], &[200]),
        row("unknown frames", &[frame(0x42, 0xff, 1, b"??"), answer()], &[200]),
        row("PING within a head", &[frame(HEADERS, 0, 1, b"\x88"), frame(PING, 0, 0, b"12345678")], &[502]),
        row("CONTINUATION alone", &[frame(CONTINUATION, END_HEADERS, 1, b"\x88")], &[502]),
        row("a head in pieces", &[frame(HEADERS, 0, 1, b"\x88\x00"), frame(CONTINUATION, 4, 1, b"\x01a\x01b"), content(1, "ok")], &[200]),
        row("an endless head", &[frame(HEADERS, 0, 1, b"\x88"), many(frame(CONTINUATION, 0, 1, b""))], &[502]),
        row("a large head", &[frame(HEADERS, 0, 1, b"\x88"), frame(CONTINUATION, 0, 1, &line("a", &"b".repeat(100))[..].repeat(150)).repeat(5), frame(CONTINUATION, END_HEADERS, 1, b"")], &[502]),
        row("a bomb", &[head(&[b"\x88\x40\x01a\x7f\x81\x1e", &[b'b'; 4000][..], &[0xbe; 10_000]].concat())], &[502]),
        // Nobody waits for a server that talks of something else.
        row("a flood of PING", &[many(frame(PING, 0, 0, b"12345678"))], &[502]),
        row("a flood of SETTINGS", &[many(frame(SETTINGS, 0, 0, &[]))], &[502]),
        row("a flood of windows", &[many(window(0, 1))], &[502]),
        row("a flood of priorities", &[many(frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]))], &[502]),
        row("a flood of unknown frames", &[many(frame(0x42, 0, 1, b"??"))], &[502]),
        row("a flood of empty content", &[begun(), many(content(0, ""))], &[0]),
        row("a flood of resets behind the answer", &[answer(), many(reset(0))], &[200]),
        row("a flood of interim answers", &[head(b"\x08\x03103").repeat(1000)], &[502]),
        // §8.
        row("no status", &[head(&line("a", "b"))], &[502]),
        row("two statuses", &[head(b"\x88\x88")], &[502]),
        row("a status that is none", &[head(b"\x08\x03abc")], &[502]),
        row("a status of two digits", &[head(b"\x08\x0220")], &[502]),
        row("a status above 599", &[head(b"\x08\x03600")], &[502]),
        row("a switch of protocols", &[head(b"\x08\x03101")], &[502]),
        // The library drops it, and nobody sees it.
        row("a field of requests", &[ok(END_HEADERS, &[(":path", "/")]), content(1, "ok")], &[200]),
        row("a name in capitals", &[ok(END_HEADERS, &[("X-A", "b")])], &[502]),
        row("a line break in a value", &[ok(END_HEADERS, &[("a", "b\r\nc: d")])], &[502]),
        row("NUL in a value", &[ok(END_HEADERS, &[("a", "\0")])], &[502]),
        row("a field of the connection", &[ok(END_HEADERS, &[("connection", "close")])], &[502]),
        row("a coding", &[ok(END_HEADERS, &[("transfer-encoding", "chunked")])], &[502]),
        row("two lengths", &[ok(END_HEADERS, &[("content-length", "2"), ("content-length", "3")]), content(1, "ok")], &[502]),
        row("a signed length", &[ok(END_HEADERS, &[("content-length", "+2")]), content(1, "ok")], &[502]),
        row("more content than its length", &[ok(END_HEADERS, &[("content-length", "1")]), content(1, "ok")], &[0]),
        row("less content than its length", &[ok(END_HEADERS, &[("content-length", "3")]), content(1, "ok")], &[0]),
        row("a length and no content", &[ok(WHOLE, &[("content-length", "3")])], &[0, 502]),
        row("204 with content", &[head(b"\x89"), content(1, "evil")], &[204]),
        row("an interim answer that ends", &[frame(HEADERS, WHOLE, 1, b"\x08\x03103")], &[502]),
        row("framing in a trailer", &[begun(), content(0, "o"), frame(HEADERS, WHOLE, 1, &line("content-length", "9"))], &[0]),
        row("trailers that do not end", &[begun(), content(0, "o"), frame(HEADERS, END_HEADERS, 1, &line("a", "b"))], &[0]),
        row("a second answer", &[answer(), answer()], &[200]),
        // §3.4.
        first("HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &[502]),
        first("no SETTINGS", &frame(PING, 0, 0, b"12345678"), &[502, 504]),
        first("nothing at all", b"", &[504]),
    ];
    for code in [0, 1, 2, 8, 11, 13] {
        rows.push(row(&format!("reset {code}"), &[reset(code)], &[502]));
    }
    rows.push(row("reset 7", &[reset(7)], &[503]));
    rows
}
