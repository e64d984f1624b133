//! A certificate authority of the tests' own, and leaves good and bad.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Signs leaves; clients of the tests trust it and nothing else.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// Serial numbers within one run of the tests.
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(0x1000);

/// A certificate chain and its key on disk.
pub(crate) struct Leaf {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) serial: u64,
}

impl Authority {
    /// A fresh authority.
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        params
            .distinguished_name
            .push(DnType::CommonName, "edge end-to-end tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key can be made");
        let pem = params
            .self_signed(&key)
            .expect("the authority signs itself")
            .pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Writes a leaf for `names`, valid now, as `STEM.pem` and `STEM.key` into `dir`.
    pub(crate) fn leaf(&self, dir: &Path, stem: &str, names: &[&str]) -> Leaf {
        self.leaf_of(dir, stem, names, |_| ())
    }

    /// Like [`Authority::leaf`], with a responder that is asked about it, and refused without its
    /// answer where `must_staple` says so.
    pub(crate) fn leaf_with_responder(
        &self,
        dir: &Path,
        stem: &str,
        url: &str,
        must_staple: bool,
    ) -> Leaf {
        // AuthorityInfoAccess with one description: id-ad-ocsp and a URL (RFC 5280 §4.2.2.1).
        let url_len = u8::try_from(url.len()).expect("a short URL");
        let mut access = vec![0x30, url_len + 14, 0x30, url_len + 12];
        access.extend([0x06, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 0x86, url_len]);
        access.extend(url.as_bytes());
        let extension = CustomExtension::from_oid_content;
        let mut extensions = vec![extension(&[1, 3, 6, 1, 5, 5, 7, 1, 1], access)];
        if must_staple {
            // A list of features: status_request (RFC 7633).
            let feature = vec![0x30, 3, 2, 1, 5];
            extensions.push(extension(&[1, 3, 6, 1, 5, 5, 7, 1, 24], feature));
        }
        self.leaf_of(dir, stem, &[stem], |params| {
            params.custom_extensions = extensions;
        })
    }

    /// Like [`Authority::leaf`], valid until the first day of a year.
    pub(crate) fn leaf_until(&self, dir: &Path, stem: &str, names: &[&str], year: i32) -> Leaf {
        self.leaf_of(dir, stem, names, |params| {
            params.not_after = date_time_ymd(year, 1, 1);
        })
    }

    /// Like [`Authority::leaf`], valid for so long from now on.
    pub(crate) fn leaf_for(&self, dir: &Path, stem: &str, names: &[&str], left: Duration) -> Leaf {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("this is not 1970");
        self.leaf_of(dir, stem, names, |params| {
            params.not_after = date_time_ymd(1970, 1, 1) + now + left;
        })
    }

    fn leaf_of(
        &self,
        dir: &Path,
        stem: &str,
        names: &[&str],
        differs: impl FnOnce(&mut CertificateParams),
    ) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("test names are valid");
        // Another subject than its issuer's: OpenSSL takes equal ones for a self-signed certificate.
        params.distinguished_name.push(DnType::CommonName, stem);
        params.use_authority_key_identifier_extension = true;
        let serial = NEXT_SERIAL.fetch_add(1, Relaxed);
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2090, 1, 1);
        differs(&mut params);
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the authority signs");
        let leaf = Leaf {
            chain: dir.join(format!("{stem}.pem")),
            key: dir.join(format!("{stem}.key")),
            serial,
        };
        write(&leaf.chain, &format!("{}{}", certificate.pem(), self.pem));
        write(&leaf.key, &key.serialize_pem());
        leaf
    }

    /// Writes a list that revokes these certificates.
    pub(crate) fn revoke(&self, path: &Path, serials: &[u64]) {
        self.revoke_until(path, serials, 2090);
    }

    /// Like [`Authority::revoke`], good until the first day of a year.
    pub(crate) fn revoke_until(&self, path: &Path, serials: &[u64], year: i32) {
        let revoked = serials.iter().map(|&serial| RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(year, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).expect("the authority signs");
        write(path, &list.pem().expect("a list is PEM"));
    }

    /// Writes the authority's private key, for programs that sign themselves.
    pub(crate) fn write_key_to(&self, path: &Path) {
        write(path, &self.issuer.key().serialize_pem());
    }

    /// Writes the authority's own certificate for programs that want a file.
    pub(crate) fn write_to(&self, path: &Path) {
        write(path, &self.pem);
    }

    /// Trusts this authority alone.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let der = CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("our own PEM parses");
        roots.add(der).expect("our own authority is a valid anchor");
        Arc::new(roots)
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
