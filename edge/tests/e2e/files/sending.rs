//! Files on their way: large ones, one that changes meanwhile, a directory that is switched.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{LIMIT, ask, served, write};
use crate::support::{H2, Setup, light, peer as python, run_driver, wait_until};

/// Large enough for no buffer on the way to hold it.
const LARGE: usize = 24 * 1024 * 1024;

#[test]
fn large_files_over_every_protocol() {
    let _machine = light();
    let mut edge = served("");
    let content: Vec<u8> = (0..LARGE / 4)
        .flat_map(|n| (n as u32).to_le_bytes())
        .collect();
    write(&edge.file("www/large.bin"), &content);
    let answer = ask(&mut edge.tls(), "GET /large.bin", &[]);
    assert!(
        answer.body == content,
        "HTTP/1.1: {} bytes",
        answer.body.len()
    );
    let mut h2 = H2::connect(edge.https, edge.authority());
    let answer = h2.get_within("/large.bin", LIMIT).expect("an answer");
    assert!(
        answer.body == content,
        "HTTP/2: {} bytes",
        answer.body.len()
    );
    let (url, ca) = (edge.url(), edge.file("ca.pem").display().to_string());
    let arguments = [
        "file",
        &url,
        &ca,
        "/large.bin",
        &edge.file("www/large.bin").display().to_string(),
    ];
    let told = run_driver("file", python("h3_scenarios.py", &arguments), LIMIT);
    assert_eq!(told, "ok");
    edge.assert_healthy();
}

#[test]
fn a_file_that_shrinks_is_no_whole_answer() {
    let _machine = light();
    let edge = served("");
    let path = edge.file("www/large.bin");
    write(&path, &vec![7; LARGE]);
    let mut client = edge.plain();
    client.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = client.read_until("\r\n\r\n", LIMIT);
    assert!(head.contains(&format!("content-length: {LARGE}")), "{head}");
    // More than this would be read ahead without back-pressure.
    fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(LARGE as u64 / 2))
        .expect("our own file");
    let (rest, _) = client.read_to_end(LIMIT);
    assert!(rest.len() < LARGE, "the connection ends early");
    assert!(
        rest.len() >= LARGE / 2 - 1024 * 1024,
        "{} bytes",
        rest.len()
    );
    let line = edge.log_line(|line| line["path"] == "/large.bin");
    assert_eq!(line["error"], "file");
}

#[test]
fn a_reload_opens_the_directory_anew() {
    let _machine = light();
    let setup = Setup::new("127.0.0.1:1");
    let dir = setup.dir.path().to_owned();
    write(&dir.join("one/a.txt"), b"one");
    write(&dir.join("two/a.txt"), b"two");
    // Only root may pass here: the process that keeps the rights opens what lies behind.
    fs::create_dir(dir.join("closed")).expect("our own folder");
    symlink("../one", dir.join("closed/current")).expect("our own folder");
    let closed = fs::Permissions::from_mode(0o700);
    fs::set_permissions(dir.join("closed"), closed).expect("our own folder");
    let edge = setup
        .more_routes("[[host.route]]\nregex = \"^/\"\nfiles = \"closed/current\"\n")
        .start();
    let text = || ask(&mut edge.plain(), "GET /a.txt", &[]).text();
    assert_eq!(text(), "one");
    fs::remove_file(dir.join("closed/current")).expect("our own link");
    symlink("../two", dir.join("closed/current")).expect("our own folder");
    assert_eq!(text(), "one", "the directory is the one that was opened");
    edge.reload();
    assert!(wait_until(LIMIT, || text() == "two"), "the other directory");
    fs::remove_file(dir.join("closed/current")).expect("our own link");
    let config = edge.file("edge.toml").display().to_string();
    let (code, said) = edge.command(&["reload"]);
    assert_ne!(code, 0, "{said}");
    assert!(
        said.contains("cannot be opened: No such file"),
        "{said} {config}"
    );
    assert_eq!(text(), "two", "a directory that is gone changes nothing");
}
