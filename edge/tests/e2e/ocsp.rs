//! Answers of a certificate authority, stapled: OpenSSL is the authority and the client.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Edge, Process, Setup, Upstream, free_port, light, wait_until};
use crate::tickets::later;

const LIMIT: Duration = Duration::from_secs(40);

/// What a client is told about the certificate.
fn status(edge: &Edge) -> String {
    let script = format!(
        "openssl s_client -connect {} -servername localhost -CAfile {} -status </dev/null",
        edge.https,
        edge.file("ca.pem").display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let (_, stdout, stderr) = Process::run("openssl", command, Duration::from_secs(10));
    stdout + &stderr
}

fn is_good(told: &str) -> bool {
    told.contains("OCSP Response Status: successful") && told.contains("Cert Status: good")
}

fn is_missing(told: &str) -> bool {
    told.contains("OCSP response: no response sent")
}

fn openssl(dir: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(dir).args(arguments.split_whitespace());
    let (code, stdout, stderr) = Process::run("openssl", command, Duration::from_secs(10));
    assert_eq!(code, 0, "{stdout}{stderr}");
}

/// What the authority knows of a certificate.
fn index(dir: &Path, serial: u64, revoked: bool) {
    let state = match revoked {
        false => "V\t900101000000Z\t",
        true => "R\t900101000000Z\t260101000000Z",
    };
    let line = format!("{state}\t{serial:04X}\tunknown\t/CN=localhost\n");
    fs::write(dir.join("index.txt"), line).expect("our own directory is writable");
}

/// The authority answers on a port, with more arguments.
fn responder(dir: &Path, port: u16, more: &str) -> Process {
    let mut command = Command::new("openssl");
    let arguments = format!(
        "ocsp -index index.txt -rsigner ca.pem -rkey ca.key -CA ca.pem -port {port} {more}"
    );
    command.current_dir(dir).args(arguments.split_whitespace());
    let mut process = Process::start("openssl ocsp", command);
    // It takes one connection after the other, and a silent one for ever.
    process.wait_for("waiting for OCSP client", LIMIT);
    process
}

#[test]
fn the_authoritys_word_is_stapled() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let dir = setup.dir.path().to_owned();
    let leaf = setup.authority.leaf(&dir, "localhost", &["localhost"]);
    setup.authority.write_key_to(&dir.join("ca.key"));
    let index = format!(
        "V\t900101000000Z\t\t{:04X}\tunknown\t/CN=localhost\n",
        leaf.serial
    );
    fs::write(dir.join("index.txt"), index).expect("our own directory is writable");
    openssl(
        &dir,
        "ocsp -index index.txt -rsigner ca.pem -rkey ca.key -CA ca.pem -issuer ca.pem \
         -cert localhost.pem -ndays 7 -respout ocsp.der",
    );
    let edge = setup.start();
    let without = status(&edge);
    assert!(
        without.contains("OCSP response: no response sent"),
        "{without}"
    );
    let named = "key = \"localhost.key\"";
    let stapled = edge
        .config()
        .replace(named, &format!("{named}\nocsp = \"ocsp.der\""));
    edge.rewrite(&stapled);
    edge.reload();
    let with = status(&edge);
    assert!(with.contains("OCSP Response Status: successful"), "{with}");
    assert!(with.contains("Cert Status: good"), "{with}");
    fs::write(edge.file("ocsp.der"), "<html>").expect("our own directory is writable");
    let (code, output) = edge.command(&["reload"]);
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("ocsp.der cannot be used"), "{output}");
}

#[test]
fn the_authority_is_asked_and_its_word_kept() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let dir = setup.dir.path().to_owned();
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/");
    let leaf = setup
        .authority
        .leaf_with_responder(&dir, "localhost", &url, true);
    setup.authority.write_key_to(&dir.join("ca.key"));
    index(&dir, leaf.serial, false);
    // It demands an answer, so one is fetched without a word in the configuration. Nobody is there yet.
    let mut edge = setup.start();
    assert!(is_missing(&status(&edge)));
    edge.process.wait_for("no OCSP answer fetched", LIMIT);
    let mut authority = responder(&dir, port, "-ndays 7");
    assert!(
        wait_until(LIMIT, || is_good(&status(&edge))),
        "{}",
        edge.process.output()
    );
    let metric = |name: &str, labels: &[&str]| edge.metrics().sum(name, labels);
    let host = ["host=\"localhost\""];
    assert!(metric("edge_ocsp_next_update_seconds", &host) > 1.7e9);
    assert_eq!(metric("edge_ocsp_fetches_total", &["result=\"ok\""]), 1.0);
    assert!(metric("edge_ocsp_fetches_total", &["result=\"failed\""]) >= 1.0);
    // The authority is gone: what it said holds, also over a reload, which asks nobody.
    authority.signal(nix::sys::signal::Signal::SIGKILL);
    authority.wait(LIMIT);
    edge.reload();
    assert!(is_good(&status(&edge)));
    // Another certificate has no answer until it has its own.
    let renewed = edge
        .authority()
        .leaf_with_responder(&dir, "localhost", &url, true);
    index(&dir, renewed.serial, false);
    assert!(
        wait_until(LIMIT, || is_missing(&status(&edge))),
        "{}",
        status(&edge)
    );
    let _authority = responder(&dir, port, "-ndays 7");
    assert!(
        wait_until(LIMIT, || is_good(&status(&edge))),
        "{}",
        edge.process.output()
    );
    edge.assert_healthy();
}

#[test]
fn an_authority_is_asked_where_the_configuration_says_so_and_believed_where_it_may_be() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let dir = setup.dir.path().to_owned();
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/");
    let leaf = setup
        .authority
        .leaf_with_responder(&dir, "localhost", &url, false);
    setup.authority.write_key_to(&dir.join("ca.key"));
    index(&dir, leaf.serial, true);
    let revoked = responder(&dir, port, "-nmin 1");
    let mut edge = setup.start();
    // It does not demand an answer.
    assert!(is_missing(&status(&edge)));
    assert_eq!(edge.metrics().sum("edge_ocsp_fetches_total", &[]), 0.0);
    let named = "key = \"localhost.key\"";
    let asking = edge
        .config()
        .replace(named, &format!("{named}\nocsp = \"fetch\""));
    edge.rewrite(&asking);
    edge.reload();
    edge.process.wait_for("THE CERTIFICATE IS REVOKED", LIMIT);
    assert!(is_missing(&status(&edge)), "a bad word is not passed on");
    drop(revoked);
    // Somebody else's signature. The next question comes after ten seconds, then twenty.
    crate::support::Authority::new().write_key_to(&dir.join("other.key"));
    index(&dir, leaf.serial, false);
    let mut signer = Command::new("openssl");
    let arguments = "req -x509 -new -key other.key -subj /CN=other -days 9 -out other.pem";
    signer.current_dir(&dir).args(arguments.split_whitespace());
    let (code, _, error) = Process::run("openssl", signer, LIMIT);
    assert_eq!(code, 0, "{error}");
    let mut command = Command::new("openssl");
    let arguments = format!(
        "ocsp -index index.txt -rsigner other.pem -rkey other.key -CA ca.pem -port {port} -nmin 1"
    );
    command.current_dir(&dir).args(arguments.split_whitespace());
    let mut stranger = Process::start("openssl ocsp", command);
    stranger.wait_for("waiting for OCSP client", LIMIT);
    edge.process.wait_for("neither the issuer", LIMIT);
    assert!(is_missing(&status(&edge)));
    drop(stranger);
    let _honest = responder(&dir, port, "-nmin 1");
    assert!(
        wait_until(LIMIT, || is_good(&status(&edge))),
        "{}",
        edge.process.output()
    );
    edge.rewrite(&asking.replace("ocsp = \"fetch\"", "ocsp = \"off\""));
    edge.reload();
    assert!(is_missing(&status(&edge)));
}

#[test]
fn a_file_about_another_certificate_is_an_error_and_one_that_is_too_old_is_left_out() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let dir = setup.dir.path().to_owned();
    let leaf = setup.authority.leaf(&dir, "localhost", &["localhost"]);
    setup.authority.leaf(&dir, "other", &["other.test"]);
    setup.authority.write_key_to(&dir.join("ca.key"));
    index(&dir, leaf.serial, false);
    let about = |certificate: &str, more: &str| {
        let arguments = format!(
            "ocsp -index index.txt -rsigner ca.pem -rkey ca.key -CA ca.pem -issuer ca.pem \
             -cert {certificate} {more} -respout ocsp.der"
        );
        openssl(&dir, &arguments);
    };
    about("localhost.pem", "-nmin 60");
    let mut edge = setup.start();
    let named = "key = \"localhost.key\"";
    let with_file = edge
        .config()
        .replace(named, &format!("{named}\nocsp = \"ocsp.der\""));
    edge.rewrite(&with_file);
    edge.reload();
    assert!(is_good(&status(&edge)));
    about("other.pem", "-nmin 60");
    let (code, output) = edge.command(&["reload"]);
    assert_eq!(code, 2, "{output}");
    assert!(
        output.contains("ocsp.der cannot be used (it is about another certificate)"),
        "{output}"
    );
    about("localhost.pem", "-nmin 60");
    let (code, output) = edge.command(&["reload"]);
    assert_eq!((code, output.trim()), (0, "reloaded"));
    // A file that is renewed is taken over by itself.
    fs::remove_file(edge.file("ocsp.der")).expect("it is there");
    about("localhost.pem", "-nmin 90");
    edge.process.wait_for("certificates renewed", LIMIT);
    assert!(is_good(&status(&edge)));
}

/// No answer at all is better than one that clients refuse.
#[test]
fn a_file_that_has_ended_is_no_longer_shown() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let dir = setup.dir.path().to_owned();
    let leaf = setup.authority.leaf(&dir, "localhost", &["localhost"]);
    setup.authority.write_key_to(&dir.join("ca.key"));
    index(&dir, leaf.serial, false);
    openssl(
        &dir,
        "ocsp -index index.txt -rsigner ca.pem -rkey ca.key -CA ca.pem -issuer ca.pem \
         -cert localhost.pem -nmin 60 -respout ocsp.der",
    );
    let (library, clock) = (later(&dir), dir.join("later"));
    let is = |ahead: i64| fs::write(&clock, ahead.to_ne_bytes()).expect("our own directory");
    is(0);
    let mut command = setup.command();
    command.env("LD_PRELOAD", library).env("EDGE_LATER", &clock);
    let mut edge = setup.start_as(command);
    let named = "key = \"localhost.key\"";
    let with_file = edge
        .config()
        .replace(named, &format!("{named}\nocsp = \"ocsp.der\""));
    edge.rewrite(&with_file);
    edge.reload();
    assert!(is_good(&status(&edge)));
    is(2 * 60 * 60);
    edge.process.wait_for("ocsp.der is not stapled", LIMIT);
    assert!(wait_until(LIMIT, || is_missing(&status(&edge))));
}
