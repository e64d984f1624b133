//! Certificates that are renewed while the process runs, and those of others that are not.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::support::{Authority, Edge, Process, Setup, Upstream, light, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

/// The serial number of the certificate that clients of a name are shown, or what OpenSSL says instead.
fn serial(edge: &Edge, name: &str) -> String {
    let script = format!(
        "openssl s_client -connect {} -servername {name} </dev/null 2>/dev/null | \
         openssl x509 -noout -serial",
        edge.https
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let (_, stdout, stderr) = Process::run("openssl", command, Duration::from_secs(10));
    stdout.trim().to_owned() + stderr.trim()
}

fn host(name: &str, more: &str) -> String {
    format!(
        "[[host]]\nnames = [\"{name}.test\"]\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\n{more}\
         [[host.route]]\nrespond = 200\n"
    )
}

fn told(serial: u64) -> String {
    format!("serial={serial:04X}")
}

#[test]
fn files_that_are_wrong_keep_no_others_from_being_renewed() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let dir = setup.dir.path().to_owned();
    let leaf = |stem: &str| {
        let names = [format!("{stem}.test")];
        setup.authority.leaf(&dir, stem, &[&names[0]]).serial
    };
    let broken = leaf("broken");
    let (renewed, guarded) = (leaf("renewed"), leaf("guarded"));
    let clients = Authority::new();
    clients.write_to(&dir.join("clients.pem"));
    let asks = "client_ca = \"clients.pem\"\nclient_certificate = \"optional\"\n";
    let hosts = [
        host("broken", ""),
        host("renewed", ""),
        host("guarded", asks),
    ];
    let mut edge = setup.hosts(&hosts.concat()).start();
    assert_eq!(serial(&edge, "renewed.test"), told(renewed));

    // One is half written, what judges clients is empty, and one is as it should be.
    fs::write(edge.file("broken.pem"), "-----BEGIN CERTI").expect("our own directory");
    fs::write(edge.file("clients.pem"), "").expect("our own directory");
    let names = ["renewed.test"];
    let renewed = edge.authority().leaf(edge.dir(), "renewed", &names).serial;
    edge.process.wait_for("broken.pem", LIMIT);
    edge.process.wait_for("clients.pem", LIMIT);
    let taken_over = wait_until(LIMIT, || serial(&edge, "renewed.test") == told(renewed));
    assert!(taken_over, "{}", edge.process.output());
    assert_eq!(serial(&edge, "broken.test"), told(broken));
    assert_eq!(serial(&edge, "guarded.test"), told(guarded));
    let ends = edge.metrics();
    for name in ["broken", "renewed", "guarded"] {
        let label = format!("host=\"{name}.test\"");
        assert!(
            ends.sum("edge_certificate_not_after_seconds", &[&label]) > 1e9,
            "{name}"
        );
    }

    // What comes later is taken over as well, by a link that moves as certbot moves it.
    let archive = edge.file("archive");
    fs::create_dir(&archive).expect("our own directory");
    let broken = edge.authority().leaf(&archive, "broken", &["broken.test"]);
    for name in ["broken.pem", "broken.key"] {
        let link = edge.file("link");
        std::os::unix::fs::symlink(archive.join(name), &link).expect("our own directory");
        fs::rename(link, edge.file(name)).expect("our own directory");
    }
    let taken_over = wait_until(LIMIT, || {
        serial(&edge, "broken.test") == told(broken.serial)
    });
    assert!(taken_over, "{}", edge.process.output());
    edge.assert_healthy();
}

/// A reboot must not take every host away because nobody looked after one of them.
#[test]
fn one_that_has_ended_is_served_and_told_until_there_is_a_better_one() {
    let _machine = light();
    let setup = Setup::new("127.0.0.1:1");
    let dir = setup.dir.path().to_owned();
    let until = |year| {
        let leaf = setup
            .authority
            .leaf_until(&dir, "ended", &["ended.test"], year);
        told(leaf.serial)
    };
    let ended = until(2021);
    let mut edge = setup.hosts(&host("ended", "")).start();
    assert_eq!(serial(&edge, "ended.test"), ended);
    edge.process.wait_for("ended.pem expired on", LIMIT);
    let ends = edge.metrics().sum(
        "edge_certificate_not_after_seconds",
        &["host=\"ended.test\""],
    );
    assert!(ends > 0.0 && ends < 1.7e9, "{ends}");

    let authority = edge.authority();
    let names = ["ended.test"];
    let good = told(authority.leaf_until(&dir, "ended", &names, 2080).serial);
    assert!(wait_until(LIMIT, || serial(&edge, "ended.test") == good));
    // One that has ended does not take the place of one that has not.
    authority.leaf_until(&dir, "ended", &names, 2022);
    edge.process.wait_for("expired on", LIMIT);
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(serial(&edge, "ended.test"), good);
}
