//! The development certificate and the local authority that signs it, made with `openssl` on first
//! use and kept in the target directory.
//!
//! The authority may sign for loopback and the namespaces' addresses only, so trusting it in a
//! browser gives nobody else anything. The certificate is renewed when it is about to expire.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use nix::sys::stat::{Mode, umask};

use crate::repo::Repo;
use crate::shell;

/// What openssl is told: the authority's limits and the certificate's names.
const OPENSSL: &str = "\
[req]
distinguished_name = name
prompt = no
[name]
CN = edge development
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
nameConstraints = critical, @permitted
[permitted]
permitted;DNS.0 = localhost
permitted;IP.0 = 127.0.0.0/255.0.0.0
permitted;IP.1 = ::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
permitted;IP.2 = 198.18.0.0/255.254.0.0
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1, IP:198.18.0.1
";

/// Ten years, and what browsers accept of a leaf without complaint.
const CA_DAYS: &str = "3650";
const LEAF_DAYS: &str = "90";

/// A certificate is renewed when less than a day of it is left.
const RENEW_SECONDS: &str = "86400";

/// The files.
#[derive(Debug)]
pub(super) struct Certificate {
    /// What clients have to trust.
    pub(super) ca: PathBuf,
    /// What the server shows.
    pub(super) chain: PathBuf,
    /// Its private key, readable by this account only.
    pub(super) key: PathBuf,
}

impl Certificate {
    /// The files in `directory`; what is missing, damaged or about to expire is made.
    ///
    /// # Errors
    /// When openssl fails, or the directory belongs to another account.
    pub(super) fn ensure(directory: &Path) -> Result<Self> {
        let file = |name: &str| directory.join(name);
        let (ca, ca_key) = (file("ca.pem"), file("ca-key.pem"));
        let (chain, key) = (file("cert.pem"), file("key.pem"));
        let made = fs::create_dir_all(directory);
        made.with_context(|| format!("cannot make {}", directory.display()))?;

        if !(is_valid(&ca, &ca) && ca_key.exists()) {
            println!(
                "Making a local certificate authority in {}",
                Repo::shown(directory)
            );
            make_ca(directory, &ca, &ca_key)?;
        }
        if !(is_valid(&chain, &ca) && key.exists()) {
            println!("Making a certificate for localhost, valid for {LEAF_DAYS} days");
            make_leaf(directory, (&chain, &key), (&ca, &ca_key))?;
        }
        File::open(&key).with_context(|| {
            let directory = Repo::shown(directory);
            format!("cannot read the key in {directory}; remove that directory to make new ones")
        })?;
        Ok(Self { ca, chain, key })
    }
}

/// Whether `certificate` is signed by `ca` and will be valid for a while.
fn is_valid(certificate: &Path, ca: &Path) -> bool {
    let verify = ["verify", "-CAfile"];
    let expiry = ["x509", "-noout", "-checkend", RENEW_SECONDS, "-in"];
    certificate.exists()
        && shell::output(openssl().args(verify).args([ca, certificate])).is_ok()
        && shell::output(openssl().args(expiry).arg(certificate)).is_ok()
}

fn make_ca(directory: &Path, ca: &Path, key: &Path) -> Result<()> {
    let draft = Draft::new(directory)?;
    let (new, new_key) = (draft.file("ca"), draft.file("key"));
    make_key(&new_key)?;
    let mut request = draft.openssl("req");
    request.args(["-x509", "-sha256", "-extensions", "ca", "-days", CA_DAYS]);
    request.args(["-subj", "/CN=edge development authority"]);
    shell::output(request.arg("-key").arg(&new_key).arg("-out").arg(&new))?;
    publish(&new_key, key)?;
    publish_readable(&new, ca)
}

fn make_leaf(
    directory: &Path,
    (chain, key): (&Path, &Path),
    (ca, ca_key): (&Path, &Path),
) -> Result<()> {
    let draft = Draft::new(directory)?;
    let (new, new_key, request) = (draft.file("leaf"), draft.file("key"), draft.file("request"));
    make_key(&new_key)?;
    let ask = ["-new", "-sha256", "-subj", "/CN=localhost", "-key"];
    shell::output(
        draft
            .openssl("req")
            .args(ask)
            .arg(&new_key)
            .arg("-out")
            .arg(&request),
    )?;
    let mut sign = openssl();
    sign.args([
        "x509",
        "-req",
        "-sha256",
        "-days",
        LEAF_DAYS,
        "-extensions",
        "leaf",
        "-in",
    ]);
    sign.arg(&request)
        .arg("-CA")
        .arg(ca)
        .arg("-CAkey")
        .arg(ca_key);
    sign.arg("-CAserial")
        .arg(draft.file("serial"))
        .arg("-CAcreateserial");
    shell::output(
        sign.arg("-extfile")
            .arg(&draft.config)
            .arg("-out")
            .arg(&new),
    )?;
    publish(&new_key, key)?;
    publish_readable(&new, chain)
}

fn openssl() -> Command {
    shell::command("openssl")
}

/// A P-256 key in a file that only this account can read from its first byte on.
fn make_key(file: &Path) -> Result<()> {
    let curve = [
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
    ];
    let before = umask(Mode::from_bits_truncate(0o077));
    let made = shell::output(openssl().arg("genpkey").args(curve).arg(file));
    umask(before);
    made.map(drop)
}

/// Files being made, beside where they will go, so that a half-made one is never used.
struct Draft {
    directory: tempfile::TempDir,
    config: PathBuf,
}

impl Draft {
    fn new(beside: &Path) -> Result<Self> {
        let directory = tempfile::tempdir_in(beside)
            .with_context(|| format!("cannot write to {}", beside.display()))?;
        let config = directory.path().join("openssl.cnf");
        fs::write(&config, OPENSSL)
            .with_context(|| format!("cannot write {}", config.display()))?;
        Ok(Self { directory, config })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn openssl(&self, command: &str) -> Command {
        let mut openssl = openssl();
        openssl.arg(command).arg("-config").arg(&self.config);
        openssl
    }
}

fn publish(new: &Path, place: &Path) -> Result<()> {
    fs::rename(new, place).with_context(|| format!("cannot write {}", place.display()))
}

fn publish_readable(new: &Path, place: &Path) -> Result<()> {
    fs::set_permissions(new, Permissions::from_mode(0o644))
        .with_context(|| format!("cannot write {}", place.display()))?;
    publish(new, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(file: &Path) -> u32 {
        fs::metadata(file)
            .expect("the file was made")
            .permissions()
            .mode()
            & 0o777
    }

    #[test]
    fn made_once_and_again_when_damaged() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let made = Certificate::ensure(directory.path()).expect("openssl makes them");
        assert!(is_valid(&made.chain, &made.ca));
        assert_eq!(mode(&made.key), 0o600);
        assert_eq!(mode(&made.chain), 0o644);
        let files = fs::read_dir(directory.path())
            .expect("it can be listed")
            .count();
        assert_eq!(
            files, 4,
            "nothing but two certificates and two keys is left"
        );

        let first = fs::read(&made.chain).expect("the certificate can be read");
        Certificate::ensure(directory.path()).expect("they are there");
        assert_eq!(fs::read(&made.chain).expect("still there"), first);

        fs::write(&made.chain, "damaged").expect("the file can be written");
        Certificate::ensure(directory.path()).expect("openssl makes a new one");
        assert!(is_valid(&made.chain, &made.ca));
    }
}
