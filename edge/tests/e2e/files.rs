//! Routes that serve files: what nginx makes of the same folder, and what must never be served.

mod peer;
mod places;
mod sending;
mod upstream;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use self::peer::Nginx;
use crate::support::{Client, Edge, Response, Setup, light};

const TEXT: &[u8] = b"0123456789abcdefghij\n";
const LIMIT: Duration = Duration::from_secs(60);

/// Files of an hour ago, so that their tags are strong.
fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("below the folder")).expect("our own folder");
    fs::write(path, content).expect("our own folder");
    let file = fs::File::options()
        .write(true)
        .open(path)
        .expect("it is there");
    let then = SystemTime::now() - Duration::from_secs(3600);
    file.set_modified(then).expect("our own file");
}

fn folder(root: &Path) {
    write(&root.join("index.html"), b"<p>home</p>");
    write(&root.join("a.txt"), TEXT);
    write(&root.join("empty.txt"), b"");
    write(&root.join("a b\u{fc}.txt"), b"spaced");
    write(&root.join("sub/index.html"), b"<p>sub</p>");
    write(&root.join("sub/app.js"), b"let x;");
    write(&root.join(".env"), b"SECRET=1");
    write(&root.join("sub/.git/config"), b"[core]");
    write(&root.join("secret.txt"), b"closed");
    write(&root.join("../outside.txt"), b"outside");
    fs::create_dir_all(root.join("bare")).expect("our own folder");
    symlink("../outside.txt", root.join("out.txt")).expect("our own folder");
    symlink("/etc", root.join("etc")).expect("our own folder");
    symlink("sub/../a.txt", root.join("in.txt")).expect("our own folder");
    symlink("loop", root.join("loop")).expect("our own folder");
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(root.join("secret.txt"), closed).expect("our own file");
    let fifo = root.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o666))
        .expect("our own folder");
}

fn served(keys: &str) -> Edge {
    let setup = Setup::new("127.0.0.1:1");
    let root = setup.dir.path().join("www");
    folder(&root);
    setup
        .more_routes(&format!(
            "[[host.route]]\nregex = \"^/\"\n[host.route.files]\nroot = \"www\"\n{keys}\n"
        ))
        .start()
}

fn ask(client: &mut Client, line: &str, fields: &[&str]) -> Response {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let to_head = line.starts_with("HEAD");
    client.send(format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
    ));
    client.response(to_head)
}

#[test]
fn the_same_folder_behind_nginx() {
    let _machine = light();
    let edge = served("");
    let nginx = Nginx::start(edge.dir());
    let of = |response: &Response, name: &str| response.header(name).map(str::to_owned);
    let own = ask(&mut edge.plain(), "GET /a.txt", &[]);
    let theirs = ask(&mut Client::plain(nginx.address), "GET /a.txt", &[]);
    let date = of(&own, "last-modified").expect("it has one");
    assert_eq!(Some(&date), of(&theirs, "last-modified").as_ref());
    let tags = [&own, &theirs].map(|response| of(response, "etag").expect("it has one"));
    assert!(tags[0].starts_with('"'), "{tags:?}");
    let since = |field: &str, date: &str| vec![format!("{field}: {date}")];
    let early = "Sun, 06 Nov 1994 08:49:37 GMT";
    // TAG stands for the tag that the server itself gave.
    let plain: Vec<(&str, Vec<String>)> = [
        "GET /",
        "HEAD /",
        "GET /a.txt",
        "HEAD /a.txt",
        "GET /empty.txt",
        "GET /a%20b%C3%BC.txt",
        "GET /sub",
        "GET /sub?x=1",
        "GET /sub/",
        "GET /sub/app.js",
        "GET /bare",
        "GET /bare/",
        "GET /none",
        "GET /none/",
        "GET /a.txt/",
        "GET /a.txt/x",
        "POST /a.txt",
        "DELETE /a.txt",
        "GET //a.txt",
        "GET /sub//app.js",
        "GET /./a.txt",
        "GET /sub/../a.txt",
        "GET /in.txt",
        "GET /%2e%2e/outside.txt",
        "GET /..%2foutside.txt",
        "GET /a.txt?q=1",
    ]
    .map(|line| (line, Vec::new()))
    .into();
    let parts = [
        "bytes=0-0",
        "bytes=2-",
        "bytes=-3",
        "bytes=5-99",
        "bytes=-99",
        "bytes=100-",
        "bytes=21-",
        "bytes=20-",
        "bytes=0-1,3-4",
        "bytes=0-1,100-",
        "bytes=0-,0-",
        "bytes=0-1,1-2",
        "lines=0-1",
        "bytes=0-99999999999",
    ]
    .map(|range| ("GET /a.txt", vec![format!("Range: {range}")]));
    let conditions = [
        ("GET /a.txt", since("If-None-Match", "TAG")),
        ("HEAD /a.txt", since("If-None-Match", "TAG")),
        ("GET /a.txt", since("If-None-Match", "W/TAG")),
        ("GET /a.txt", since("If-None-Match", "\"x\", TAG")),
        ("GET /a.txt", since("If-None-Match", "*")),
        ("GET /a.txt", since("If-None-Match", "\"x\"")),
        ("GET /a.txt", since("If-Match", "TAG")),
        ("GET /a.txt", since("If-Match", "W/TAG")),
        ("GET /a.txt", since("If-Match", "\"x\"")),
        ("GET /a.txt", since("If-Match", "*")),
        ("GET /a.txt", since("If-Modified-Since", &date)),
        ("GET /a.txt", since("If-Modified-Since", early)),
        ("GET /a.txt", since("If-Modified-Since", "soon")),
        ("GET /a.txt", since("If-Unmodified-Since", &date)),
        ("GET /a.txt", since("If-Unmodified-Since", early)),
    ];
    let of_part = |field: &str, value: &str| {
        let range = "Range: bytes=1-2".to_owned();
        ("GET /a.txt", vec![format!("{field}: {value}"), range])
    };
    let conditional_parts = [
        of_part("If-Range", "TAG"),
        of_part("If-Range", "\"x\""),
        of_part("If-Range", "W/TAG"),
        of_part("If-Range", &date),
        of_part("If-Range", early),
        of_part("If-None-Match", "TAG"),
        of_part("If-Match", "\"x\""),
    ];
    let requests = plain
        .into_iter()
        .chain(parts)
        .chain(conditions)
        .chain(conditional_parts);
    let mut differing = Vec::new();
    for (line, fields) in requests {
        let answers = [(edge.http, &tags[0]), (nginx.address, &tags[1])].map(|(address, tag)| {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| field.replace("TAG", tag))
                .collect();
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            facts(&ask(&mut Client::plain(address), line, &fields))
        });
        if answers[0] != answers[1] {
            differing.push(format!(
                "{line} {fields:?}: {} | nginx: {}",
                answers[0], answers[1]
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));

    // Where this differs on purpose.
    let both = |line: &str, fields: &[&str]| {
        let status = |address| ask(&mut Client::plain(address), line, fields).status;
        (status(edge.http), status(nginx.address))
    };
    assert_eq!(both("OPTIONS /a.txt", &[]), (204, 405), "RFC 9110 §9.3.7");
    let later = "If-Modified-Since: Fri, 31 Dec 2038 23:59:59 GMT";
    assert_eq!(both("GET /a.txt", &[later]), (304, 200), "RFC 9110 §13.1.3");
    let range = "Range: bytes=0-0";
    assert_eq!(both("HEAD /a.txt", &[range]), (200, 206), "RFC 9110 §14.2");
    let wrong = "Range: bytes=x";
    assert_eq!(both("GET /a.txt", &[wrong]), (200, 416), "no range at all");
    for secret in ["/.env", "/sub/.git/config", "/out.txt", "/etc/hostname"] {
        assert_eq!(both(&format!("GET {secret}"), &[]), (404, 200), "{secret}");
    }
    assert_eq!(both("GET /loop", &[]), (404, 403), "a link to itself");
    assert_eq!(both("GET /secret.txt", &[]).0, 403, "not ours to read");
    assert_eq!(
        both("GET /fifo", &[]).0,
        404,
        "and nobody waits for a writer"
    );
}

/// What two servers must agree in.
fn facts(response: &Response) -> String {
    let field = |name: &str| response.header(name).unwrap_or("-").to_owned();
    let location = field("location");
    let location = location.split_once("://").map_or(&*location, |(_, rest)| {
        rest.find('/').map_or("", |at| &rest[at..])
    });
    let multi = field("content-type").starts_with("multipart/byteranges; boundary=");
    let body = match (response.status, multi) {
        (200 | 206, false) => response.text(),
        (206, true) => {
            let text = response.text();
            let is_fact = |line: &&str| !line.starts_with("--") && !line.contains("Content-Type");
            text.lines().filter(is_fact).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    };
    let length = match (response.status, multi) {
        (200 | 206, false) => field("content-length"),
        _ => String::new(),
    };
    format!(
        "{} [{}] [{location}] [{length}] {body:?}",
        response.status,
        field("content-range"),
    )
}

#[test]
fn fields_of_a_file() {
    let _machine = light();
    let edge = served(
        "precompressed = true\ncache_control = \"public, max-age=60\"\nindex = [\"none.html\", \"index.html\"]",
    );
    let www = edge.file("www");
    write(&www.join("sub/app.js.br"), b"brotli");
    write(&www.join("sub/app.js.gz"), b"gz");
    let mut client = edge.plain();
    let plain = ask(&mut client, "GET /sub/app.js", &[]);
    assert_eq!(plain.status, 200);
    assert_eq!(
        plain.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert_eq!(plain.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(plain.header("vary"), Some("accept-encoding"));
    assert_eq!(plain.header("accept-ranges"), Some("bytes"));
    assert_eq!(plain.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(plain.header("content-encoding"), None);
    let coded = |client: &mut Client, accept: &str| {
        let answer = ask(
            client,
            "GET /sub/app.js",
            &[&format!("Accept-Encoding: {accept}")],
        );
        assert_ne!(answer.header("etag"), plain.header("etag"));
        (
            answer.header("content-encoding").map(str::to_owned),
            answer.text(),
        )
    };
    let some = |name: &str, text: &str| (Some(name.to_owned()), text.to_owned());
    assert_eq!(coded(&mut client, "gzip, br, zstd"), some("br", "brotli"));
    assert_eq!(coded(&mut client, "gzip, br;q=0.1"), some("gzip", "gz"));
    let refused = ask(
        &mut client,
        "GET /sub/app.js",
        &["Accept-Encoding: br;q=0, gzip;q=0"],
    );
    assert_eq!(refused.text(), "let x;");
    // A part is one of the form that is sent.
    let fields = ["Accept-Encoding: br", "Range: bytes=1-2"];
    let part = ask(&mut client, "GET /sub/app.js", &fields);
    assert_eq!((part.status, part.text().as_str()), (206, "ro"));
    assert_eq!(part.header("content-range"), Some("bytes 1-2/6"));
    let tag = format!(
        "If-None-Match: {}",
        plain.header("etag").expect("it has one")
    );
    let known = ask(&mut client, "GET /sub/app.js", &[&tag]);
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_eq!(known.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(known.header("etag"), plain.header("etag"));
    assert_eq!(known.header("content-length"), None);
    assert_eq!(ask(&mut client, "GET /", &[]).text(), "<p>home</p>");
    let missing = ask(&mut client, "GET /none", &[]);
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("cache-control"), Some("no-store"));
    let wrong = ask(&mut client, "PUT /a.txt", &[]);
    assert_eq!(
        (wrong.status, wrong.header("allow")),
        (405, Some("GET, HEAD, OPTIONS"))
    );
    // A file that has just changed may do so again unseen.
    fs::write(www.join("young.txt"), "x").expect("our own folder");
    let young = ask(&mut client, "GET /young.txt", &[]);
    assert!(
        young
            .header("etag")
            .is_some_and(|tag| tag.starts_with("W/"))
    );
    let line = edge.log_line(|line| line["path"] == "/young.txt");
    assert_eq!(line["bytes_out"], 1);
}
