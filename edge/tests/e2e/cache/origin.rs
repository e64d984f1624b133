//! An upstream that answers as a test says, and counts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// What to do with the head of a request that is the so-and-so-many-th; no bytes close.
type Script = dyn Fn(&str, usize) -> (Duration, String) + Send + Sync;

pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Origin {
    pub(crate) fn start(
        script: impl Fn(&str, usize) -> (Duration, String) + Send + Sync + 'static,
    ) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address can be bound");
        let address = listener.local_addr().expect("it is bound");
        let asked = Arc::<AtomicUsize>::default();
        let (script, count): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (script, count) = (Arc::clone(&script), Arc::clone(&count));
                std::thread::spawn(move || serve(stream, &*script, &count));
            }
        });
        Origin { address, asked }
    }

    /// Requests seen so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

/// One request after the other; bodies of requests are taken for heads, which no test minds.
fn serve(mut stream: TcpStream, script: &Script, asked: &AtomicUsize) {
    let mut input = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let end = input.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else {
            match stream.read(&mut chunk) {
                Ok(read @ 1..) => input.extend_from_slice(&chunk[..read]),
                _ => return,
            }
            continue;
        };
        let head = String::from_utf8_lossy(&input[..end]).into_owned();
        input.clear();
        let number = asked.fetch_add(1, SeqCst) + 1;
        let (delay, answer) = script(&head, number);
        std::thread::sleep(delay);
        if answer.is_empty() || stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// 200 with these fields and a body.
pub(crate) fn ok(fields: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{fields}\r\n{body}")
}
