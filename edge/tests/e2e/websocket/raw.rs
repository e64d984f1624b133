//! An upstream that switches protocols and then does one thing, and the bytes of an opening.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// The opening of RFC 6455 §1.3, for `path`.
pub(super) fn opening(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// The head that agrees to it.
pub(super) const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
     Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Accepts connections, agrees to switch on each, and hands it to `then`.
pub(super) fn switching(then: fn(TcpStream)) -> SocketAddr {
    answering(SWITCHED, then)
}

/// Accepts connections, sends `head` when a request head has come, and hands each to `then`.
pub(super) fn answering(head: &'static str, then: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address can be bound");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().take(100) {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let timeout = Some(Duration::from_secs(20));
                stream.set_read_timeout(timeout).expect("it is not zero");
                stream.set_write_timeout(timeout).expect("it is not zero");
                if read_head(&mut stream) && stream.write_all(head.as_bytes()).is_ok() {
                    then(stream);
                }
            });
        }
    });
    address
}

/// Reads byte by byte, so that nothing behind the head is taken.
fn read_head(stream: &mut TcpStream) -> bool {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}
