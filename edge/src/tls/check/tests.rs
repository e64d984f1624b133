//! Every way in which certificate files can be wrong, as the operator reads it.

use std::path::PathBuf;

use super::*;
use crate::config::{Ocsp, Tls};
use crate::files::Disk;
use crate::tls::testing::{Authority, host};
use crate::tls::{Staples, Tickets, server_config};

/// 2026-01-01.
fn new_year() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

/// The only error about one certificate, with the directory's name taken out.
fn error(files: &Certificate) -> String {
    let hosts = [host(&["a.test"], Some(files.clone()))];
    let report = inspect(&hosts, &Disk, new_year(), None);
    assert_eq!(report.errors.len(), 1, "{report:?}");
    assert!(report.expiries.is_empty());
    let directory = files.chain.parent().unwrap().display().to_string();
    report.errors[0]
        .to_string()
        .replace(&format!("{directory}/"), "")
}

#[test]
fn a_good_certificate_has_nothing_to_report_but_its_end() {
    let authority = Authority::new();
    let files = authority.issue_between(&["a.test"], (2025, 1, 1), (2026, 2, 1));
    let report = inspect(&[host(&["a.test"], Some(files))], &Disk, new_year(), None);
    assert!(report.errors.is_empty() && report.warnings.is_empty());
    assert_eq!(
        report.expiries,
        [Expiry {
            host: "a.test".to_owned(),
            not_after: new_year() + Duration::from_secs(31 * DAY_SECS),
        }]
    );
}

#[test]
fn files_that_cannot_be_read() {
    let authority = Authority::new();
    let good = authority.issue(&["a.test"]);
    let with_chain = |chain: PathBuf| Certificate {
        chain,
        ..good.clone()
    };

    let missing = good.chain.with_file_name("none.pem");
    assert_eq!(
        error(&with_chain(missing)),
        "certificate file none.pem does not exist: correct the path or obtain a certificate first"
    );
    let directory = good.chain.with_file_name("directory");
    std::fs::create_dir(&directory).unwrap();
    assert_eq!(
        error(&with_chain(directory)),
        "certificate file directory cannot be read: make it a file that the account that starts \
         edge can read"
    );
    let huge = authority.write("huge.pem", vec![b'\n'; (1 << 20) + 1]);
    assert_eq!(
        error(&with_chain(huge)),
        "certificate file huge.pem is larger than 1048576 bytes: is it the right file?"
    );
}

#[test]
fn files_that_hold_something_else() {
    let authority = Authority::new();
    let good = authority.issue(&["a.test"]);
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();

    let empty = Certificate {
        chain: authority.write("empty.pem", ""),
        key: good.key.clone(),
        ocsp: Ocsp::default(),
    };
    assert_eq!(
        error(&empty),
        "certificate file empty.pem holds no certificate in PEM form: it must contain \
         -----BEGIN CERTIFICATE-----"
    );
    let key_as_chain = Certificate {
        chain: authority.write("chain.pem", read(&good.key)),
        key: good.key.clone(),
        ocsp: Ocsp::default(),
    };
    assert_eq!(
        error(&key_as_chain),
        "certificate file chain.pem holds no certificate in PEM form, but a key: are \
         `certificate` and `key` swapped?"
    );
    let chain_as_key = Certificate {
        chain: good.chain.clone(),
        key: authority.write("key.pem", read(&good.chain)),
        ocsp: Ocsp::default(),
    };
    assert_eq!(
        error(&chain_as_key),
        "key file key.pem holds no key in PEM form, but a certificate: are `certificate` and \
         `key` swapped?"
    );
    let cut_off = read(&good.chain).replace("-----END CERTIFICATE-----", "");
    let damaged = Certificate {
        chain: authority.write("cut.pem", cut_off),
        key: good.key.clone(),
        ocsp: Ocsp::default(),
    };
    let text = error(&damaged);
    assert!(
        text.starts_with("certificate file cut.pem is damaged ("),
        "{text}"
    );
    assert!(text.ends_with("): copy it again from its source"), "{text}");
}

#[test]
fn keys_that_cannot_be_used() {
    let authority = Authority::new();
    let good = authority.issue(&["a.test"]);
    let with_key = |name: &str, text: &str| Certificate {
        key: authority.write(name, text),
        ..good.clone()
    };

    let encrypted = with_key(
        "locked.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    assert_eq!(
        error(&encrypted),
        "key file locked.pem is protected by a passphrase: write it without one, \
         `openssl pkey -in locked.pem -out key.pem`"
    );
    let unsupported = with_key(
        "odd.pem",
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
    );
    let text = error(&unsupported);
    assert!(
        text.starts_with("key file odd.pem cannot be used ("),
        "{text}"
    );
    assert!(text.ends_with("or RSA of 2048 bits or more"), "{text}");

    let foreign = Certificate {
        chain: good.chain.clone(),
        key: authority.issue(&["a.test"]).key,
        ocsp: Ocsp::default(),
    };
    assert_eq!(
        error(&foreign),
        "key file 1.key does not belong to the first certificate in 0.pem: the server's own \
         certificate must come first, and the key must be the one it was issued for"
    );
}

#[test]
fn certificates_out_of_their_time() {
    let authority = Authority::new();
    let old = authority.issue_between(&["a.test"], (2024, 1, 1), (2025, 12, 31));
    let warning = |files: &Certificate| {
        let hosts = [host(&["a.test"], Some(files.clone()))];
        let report = inspect(&hosts, &Disk, new_year(), None);
        assert!(report.errors.is_empty() && report.expiries.len() == 1);
        let directory = files.chain.parent().unwrap().display().to_string();
        let said = report.warnings[0].to_string();
        said.replace(&format!("{directory}/"), "")
    };
    assert_eq!(
        warning(&old),
        "certificate in 0.pem expired on Wed, 31 Dec 2025 00:00:00 GMT: clients refuse it, renew it"
    );
    let young = authority.issue_between(&["a.test"], (2026, 1, 2), (2027, 1, 1));
    assert_eq!(
        warning(&young),
        "certificate in 1.pem is not valid before Fri, 02 Jan 2026 00:00:00 GMT: clients refuse it; \
         check this machine's clock, or wait"
    );
    let soon = authority.issue_between(&["a.test"], (2025, 1, 1), (2026, 1, 14));
    let report = inspect(
        &[host(&["a.test"], Some(soon.clone()))],
        &Disk,
        new_year(),
        None,
    );
    assert!(report.errors.is_empty());
    assert_eq!(
        report.warnings,
        [Warning::ExpiresSoon {
            path: soon.chain,
            not_after: new_year() + Duration::from_secs(13 * DAY_SECS),
            days: 13,
        }]
    );
}

#[test]
fn names_the_certificate_does_not_cover() {
    let authority = Authority::new();
    let files = authority.issue(&["a.test", "*.b.test", "192.0.2.1"]);
    let names = [
        "a.test",
        "*.b.test",
        "x.b.test",
        "192.0.2.1",
        "*",
        "b.test",
        "*.a.test",
        "x.y.b.test",
        "192.0.2.2",
        "2001:db8::1",
    ];
    let report = inspect(
        &[host(&names, Some(files.clone()))],
        &Disk,
        new_year(),
        None,
    );
    assert!(report.errors.is_empty());
    let uncovered: Vec<Warning> = [
        "b.test",
        "*.a.test",
        "x.y.b.test",
        "192.0.2.2",
        "2001:db8::1",
    ]
    .map(|name| Warning::NotCovered {
        path: files.chain.clone(),
        name: name.to_owned(),
    })
    .to_vec();
    assert_eq!(report.warnings, uncovered);
    assert!(
        report.warnings[0]
            .to_string()
            .contains("does not cover b.test: clients will refuse it")
    );
}

#[test]
fn everything_is_reported_at_once_and_shared_files_once() {
    let authority = Authority::new();
    let expired = authority.issue_between(&["a.test"], (2024, 1, 1), (2025, 1, 1));
    let nowhere = Certificate {
        chain: expired.chain.with_file_name("x.pem"),
        key: expired.chain.with_file_name("x.key"),
        ocsp: Ocsp::default(),
    };
    let good = authority.issue(&["c.test"]);
    let hosts = [
        host(&["a.test"], Some(expired.clone())),
        host(&["b.test"], Some(nowhere)),
        host(&["plain.test"], None),
        host(&["c.test"], Some(good)),
        host(&["a2.test"], Some(expired)),
    ];
    let report = inspect(&hosts, &Disk, new_year(), None);
    // A missing chain and a missing key; one expired.
    assert_eq!(report.errors.len(), 2, "{report:?}");
    assert!(
        matches!(
            report.warnings[..],
            [Warning::Expired { .. }, Warning::NotCovered { .. }]
        ),
        "{report:?}"
    );
    let ends: Vec<&str> = report.expiries.iter().map(|one| &*one.host).collect();
    assert_eq!(ends, ["a.test", "c.test", "a2.test"]);

    let tickets = Tickets::new().unwrap();
    assert!(matches!(
        server_config(&hosts, Tls::default(), &Disk, &tickets, &Staples::default()),
        Err(Error::Missing { .. })
    ));
    // Who has one that has expired takes nothing from the others.
    let served = [hosts[0].clone(), hosts[3].clone()];
    let tls = Tls::default();
    assert!(server_config(&served, tls, &Disk, &tickets, &Staples::default()).is_ok());
    assert!(matches!(
        server_config(
            &hosts[2..3],
            Tls::default(),
            &Disk,
            &tickets,
            &Staples::default()
        ),
        Err(Error::NoCertificates)
    ));
    let (errors, warnings) = check(&hosts[2..4], &Disk);
    assert!(errors.is_empty() && warnings.is_empty());
}

#[test]
fn every_common_kind_of_key_is_served() {
    let kinds = [
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519),
        rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048),
    ];
    let authority = Authority::new();
    for key in kinds {
        let files = authority.issue_for(&["a.test"], &key.unwrap());
        let report = inspect(&[host(&["a.test"], Some(files))], &Disk, new_year(), None);
        assert!(report.errors.is_empty() && report.warnings.is_empty());
    }
}
