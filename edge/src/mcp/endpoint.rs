//! The `endpoint` event that opens a stream of the old HTTP+SSE transport.
//!
//! Its data is the URL that the client sends its messages to, and the session is a value of that
//! URL's query (<https://modelcontextprotocol.io/specification/2024-11-05/basic/transports>). The
//! messages must reach the server that holds the stream.

/// Bytes of a stream that are looked at: the event is the first one, and short.
const LOOK_MAX: usize = 2048;
/// Names of the query value: of the TypeScript SDK and of the Python SDK.
const NAMES: [&str; 2] = ["sessionId", "session_id"];

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Follows the start of an event stream until the event has passed or something else has.
#[derive(Clone, Debug, Default)]
pub struct EndpointWatch {
    seen: Vec<u8>,
}

/// What the start of a stream told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Nothing yet.
    Waiting,
    /// The session of an old stream.
    Session(String),
    /// It is no stream of the old transport.
    None,
}

impl EndpointWatch {
    /// Follows the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) -> Endpoint {
        let room = LOOK_MAX - self.seen.len();
        self.seen.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let mut is_endpoint = false;
        // WHATWG HTML §9.2.5: a stream may start with a byte order mark.
        let mut rest = self
            .seen
            .strip_prefix(BYTE_ORDER_MARK)
            .unwrap_or(&self.seen);
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            let (line, after) = rest.split_at(end);
            rest = &after[1..];
            let (field, value) = match memchr::memchr(b':', line) {
                Some(colon) => (&line[..colon], line[colon + 1..].trim_ascii()),
                None => (line, &b""[..]),
            };
            match field {
                b"event" if value != b"endpoint" => return Endpoint::None,
                b"event" => is_endpoint = true,
                b"data" if !is_endpoint => return Endpoint::None,
                b"data" => {
                    let url = std::str::from_utf8(value).unwrap_or_default();
                    return session_of(url)
                        .map_or(Endpoint::None, |id| Endpoint::Session(id.to_owned()));
                }
                // Comments, blank lines, `retry` and `id` may come first.
                _ => {}
            }
        }
        match self.seen.len() < LOOK_MAX {
            true => Endpoint::Waiting,
            false => Endpoint::None,
        }
    }
}

/// The session in the query of a target or URL of the old transport.
pub fn session_of(target: &str) -> Option<&str> {
    let (_, query) = target.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    let mut values = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, id) = values.find(|(name, id)| NAMES.contains(name) && !id.is_empty())?;
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_found_however_it_is_cut_and_ended() {
        for end in ["\n", "\r\n", "\r"] {
            for start in ["", "\u{feff}event: endpoint\n", ": hello\n"] {
                let stream = format!(
                    "{start}: hello{end}event: endpoint{end}data: /messages/?session_id=ab12{end}{end}"
                );
                for cut in 1..stream.len() {
                    let mut watch = EndpointWatch::default();
                    let mut found = Endpoint::Waiting;
                    for piece in stream.as_bytes().chunks(cut) {
                        found = watch.feed(piece);
                        if found != Endpoint::Waiting {
                            break;
                        }
                    }
                    assert_eq!(found, Endpoint::Session("ab12".into()), "{end:?} {cut}");
                }
            }
        }
    }

    #[test]
    fn other_streams_are_let_go() {
        let look = |stream: &str| EndpointWatch::default().feed(stream.as_bytes());
        assert_eq!(
            look("event: message\ndata: /?session_id=a\n\n"),
            Endpoint::None
        );
        assert_eq!(look("data: /?session_id=a\n\n"), Endpoint::None);
        assert_eq!(look("event: endpoint\ndata: /messages\n\n"), Endpoint::None);
        assert_eq!(
            look("event: endpoint\ndata: /messages?sessionId=a"),
            Endpoint::Waiting
        );
        assert_eq!(look(&":".repeat(5000)), Endpoint::None);
        assert_eq!(look(""), Endpoint::Waiting);
    }

    #[test]
    fn sessions_are_read_from_queries() {
        assert_eq!(session_of("/m?x=1&sessionId=q-1#f"), Some("q-1"));
        assert_eq!(session_of("http://h/m?session_id=7&sessionId=8"), Some("7"));
        assert_eq!(session_of("/m?sessionid=7"), None);
        assert_eq!(session_of("/m?sessionId="), None);
        assert_eq!(session_of("/m"), None);
    }
}
