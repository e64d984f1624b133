//! Streams that say nothing for longer than nginx waits by default: side by side.
//!
//! With `--soak` nginx has its default of a minute and the silence lasts three; else both are a
//! fraction of that.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::support::{Client, End, Process, Setup, free_port, is_soak, light, peer, wait_until};

const LIMIT: Duration = Duration::from_secs(20);
const FIRST: &str = "data: 1\n\n";
const SECOND: &str = "data: 2\n\n";

/// Sends each stream one event, says nothing until it is told to, and sends another.
struct Taciturn {
    address: SocketAddr,
    speaks: Arc<AtomicBool>,
}

impl Taciturn {
    fn start() -> Taciturn {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address can be bound");
        let address = listener.local_addr().expect("it is bound");
        let speaks = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&speaks);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = Arc::clone(&told);
                std::thread::spawn(move || serve(stream, &told));
            }
        });
        Taciturn { address, speaks }
    }
}

/// Whoever has gone in the meantime is no concern of its own.
fn serve(mut stream: TcpStream, told: &AtomicBool) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let mut send = |text: &str| stream.write_all(text.as_bytes()).ok();
    send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    )?;
    send(&format!("{:x}\r\n{FIRST}\r\n", FIRST.len()))?;
    while !told.load(SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
    send(&format!("{:x}\r\n{SECOND}\r\n0\r\n\r\n", SECOND.len()))
}

/// nginx in front of a server, as its documentation begins: no timeout of the configuration's own,
/// unless one is given.
fn nginx(server: SocketAddr, directory: &std::path::Path, timeout: &str) -> (u16, Process) {
    let port = free_port();
    let text = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log nginx.log;\nevents {{}}\nhttp {{\n\
         access_log off;\nserver {{\nlisten 127.0.0.1:{port};\nlocation / {{\n\
         proxy_pass http://{server};\nproxy_http_version 1.1;\nproxy_buffering off;\n{timeout}\n}}\n}}\n}}\n"
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, text).expect("our own directory is writable");
    let mut command = Command::new("nginx");
    command.arg("-p").arg(directory).arg("-c").arg(&file);
    let process = Process::start("nginx", command);
    let accepts = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(wait_until(LIMIT, accepts), "{}", process.output());
    (port, process)
}

#[test]
fn silent_streams_outlast_what_nginx_allows() {
    let _machine = light();
    // What nginx waits, and how long there is silence.
    let (patience_s, silence_s, timeout) = match is_soak() {
        true => (60, 180, ""),
        false => (2, 5, "proxy_read_timeout 2s;"),
    };
    let server = Taciturn::start();
    let edge = Setup::new(server.address)
        .route("keep_alive = \"off\"")
        .more_routes(&format!(
            "[[host.route]]\npath = \"/commented\"\nupstream = \"http://{}\"\nkeep_alive = \"1s\"\n",
            server.address
        ))
        .start();
    let (port, _nginx) = nginx(server.address, edge.dir(), timeout);

    let open = |mut client: Client, path: &str| {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        client.read_until(FIRST, LIMIT);
        client
    };
    let mut compared = open(Client::plain(([127, 0, 0, 1], port).into()), "/");
    let began = Instant::now();
    let mut clients = [
        open(edge.plain(), "/"),
        open(edge.tls(), "/"),
        open(edge.tls(), "/commented"),
    ];
    let ca = edge.file("ca.pem").display().to_string();
    let seconds = (silence_s + 60).to_string();
    let arguments = ["silent", &edge.url(), &ca, &seconds];
    let mut over_http3 = Process::start("silent", peer("h3_scenarios.py", &arguments));
    over_http3.wait_for("listening", LIMIT);

    let (rest, end) = compared.read_to_end(Duration::from_secs(patience_s + 15));
    let cut_s = began.elapsed().as_secs_f64();
    println!(
        "nginx ends the stream after {cut_s:.1} s: {end:?}, {} bytes more",
        rest.len()
    );
    assert_ne!(end, End::TimedOut, "nginx has become more patient");
    assert!(cut_s >= patience_s as f64 - 1.0, "{cut_s} s");

    std::thread::sleep(Duration::from_secs(silence_s).saturating_sub(began.elapsed()));
    server.speaks.store(true, SeqCst);
    let [plain, tls, commented] = clients
        .each_mut()
        .map(|client| client.read_until(SECOND, LIMIT));
    for uncommented in [plain, tls] {
        assert!(!uncommented.contains(":\n\n"), "{uncommented:?}");
    }
    let comments = commented.matches(":\n\n").count();
    assert!(
        comments as u64 >= silence_s / 2,
        "{comments} comments in {silence_s} s"
    );
    let (code, stdout, stderr) = over_http3.finish(LIMIT);
    assert_eq!((code, stdout.trim()), (0, "\"ok\""), "{stderr}");
    println!(
        "edge passes the next event after {:.1} s",
        began.elapsed().as_secs_f64()
    );
}
