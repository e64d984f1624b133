//! Answers made by hand, good and bad in one thing each.

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SigningKey as _,
};
use rustls_pki_types::CertificateDer;
use x509_parser::parse_x509_certificate;

use super::der::{self, BITS, ENUMERATED, GENERALIZED_TIME, OCTETS, OID, SEQUENCE, explicit};
use super::subject::{fingerprint, key_bits};
use super::*;
use crate::tls::provider;

/// `ecdsa-with-SHA256`, which rcgen's keys sign with.
const ECDSA_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
const GOOD: &[u8] = &[0x80, 0];

/// An authority and what it has issued.
struct Scene {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    /// Charged with answering.
    deputy: (CertificateDer<'static>, KeyPair),
    /// Issued as well, for something else.
    stranger: (CertificateDer<'static>, KeyPair),
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![format!("{name}.test")]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Scene {
    fn new() -> Scene {
        let mut params = named("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("signed").der().clone();
        let issuer = Issuer::new(params, key);
        let issue = |mut params: CertificateParams, usages: &[ExtendedKeyUsagePurpose]| {
            params.extended_key_usages = usages.to_vec();
            let key = KeyPair::generate().expect("a key");
            let issued = params.signed_by(&key, &issuer).expect("signed");
            (issued.der().clone(), key)
        };
        let mut params = named("leaf");
        // SEQUENCE { INTEGER 5 }
        let must_staple = CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 5, 5, 7, 1, 24],
            vec![0x30, 3, 2, 1, 5],
        );
        // AuthorityInfoAccess: an issuer's certificate, then a responder.
        let place = |method: u8, url: &str| {
            let oid = [0x2b, 6, 1, 5, 5, 7, 0x30, method];
            let parts = [der::write(OID, &oid), der::write(0x86, url.as_bytes())];
            der::write(SEQUENCE, &parts.concat())
        };
        let places = [
            place(2, "http://ca.test/ca.der"),
            place(1, "http://ocsp.test/"),
        ];
        let access = CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 5, 5, 7, 1, 1],
            der::write(SEQUENCE, &places.concat()),
        );
        params.custom_extensions = vec![must_staple, access];
        let leaf = issue(params, &[]).0;
        let deputy = issue(named("deputy"), &[ExtendedKeyUsagePurpose::OcspSigning]);
        let stranger = issue(named("stranger"), &[ExtendedKeyUsagePurpose::ServerAuth]);
        Scene {
            issuer,
            root,
            leaf,
            deputy,
            stranger,
        }
    }

    fn subject(&self) -> Subject {
        let chain = [self.leaf.clone(), self.root.clone()];
        Subject::of(&chain).expect("the second has issued the first")
    }

    fn judge(&self, answer: &[u8]) -> Result<Validity, OcspError> {
        self.subject().judge(answer, now(), &provider())
    }

    /// A good answer, by the authority.
    fn answer(&self) -> Answer<'_> {
        Answer {
            leaf: &self.leaf,
            root: &self.root,
            status: GOOD.to_vec(),
            this: "20300101000000Z",
            next: Some("20300108000000Z"),
            by: (&self.root, self.issuer.key()),
            attached: Vec::new(),
            by_hash: false,
        }
    }
}

/// 2030-01-02.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_542_400)
}

/// What an authority says.
struct Answer<'a> {
    leaf: &'a CertificateDer<'static>,
    root: &'a CertificateDer<'static>,
    status: Vec<u8>,
    this: &'a str,
    next: Option<&'a str>,
    by: (&'a CertificateDer<'static>, &'a KeyPair),
    attached: Vec<&'a CertificateDer<'static>>,
    by_hash: bool,
}

impl Answer<'_> {
    fn der(&self) -> Vec<u8> {
        let sha1 = |bytes: &[u8]| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec();
        let (_, leaf) = parse_x509_certificate(self.leaf).expect("a certificate");
        let (_, root) = parse_x509_certificate(self.root).expect("a certificate");
        let (_, by) = parse_x509_certificate(self.by.0).expect("a certificate");
        let id = [
            der::write(SEQUENCE, &der::write(OID, &[0x2b, 0x0e, 0x03, 0x02, 0x1a])),
            der::write(OCTETS, &sha1(root.subject().as_raw())),
            der::write(OCTETS, &sha1(key_bits(&root).expect("a key"))),
            der::write(0x02, leaf.raw_serial()),
        ];
        let time = |text: &str| der::write(GENERALIZED_TIME, text.as_bytes());
        let mut single = der::write(SEQUENCE, &id.concat());
        single.extend(&self.status);
        single.extend(time(self.this));
        if let Some(next) = self.next {
            single.extend(der::write(explicit(0), &time(next)));
        }
        let responder = match self.by_hash {
            false => der::write(explicit(1), by.subject().as_raw()),
            true => {
                let hash = sha1(key_bits(&by).expect("a key"));
                der::write(explicit(2), &der::write(OCTETS, &hash))
            }
        };
        let answers = der::write(SEQUENCE, &der::write(SEQUENCE, &single));
        let data = [responder, time(self.this), answers];
        let data = der::write(SEQUENCE, &data.concat());
        let signature = self.by.1.sign(&data).expect("signed");
        let mut basic = data;
        basic.extend(der::write(SEQUENCE, ECDSA_SHA256));
        basic.extend(der::write(BITS, &[&[0], &*signature].concat()));
        if !self.attached.is_empty() {
            let list: Vec<u8> = self.attached.iter().flat_map(|one| one.to_vec()).collect();
            basic.extend(der::write(explicit(0), &der::write(SEQUENCE, &list)));
        }
        let bytes = [
            der::write(OID, BASIC),
            der::write(OCTETS, &der::write(SEQUENCE, &basic)),
        ];
        let bytes = der::write(explicit(0), &der::write(SEQUENCE, &bytes.concat()));
        let status = der::write(ENUMERATED, &[0]);
        der::write(SEQUENCE, &[status, bytes].concat())
    }
}

#[test]
fn what_a_certificate_says_about_answers() {
    let scene = Scene::new();
    let (_, leaf) = parse_x509_certificate(&scene.leaf).expect("a certificate");
    assert_eq!(responder(&leaf).as_deref(), Some("http://ocsp.test/"));
    assert!(must_staple(&leaf));
    let (_, root) = parse_x509_certificate(&scene.root).expect("a certificate");
    assert!(!must_staple(&root) && responder(&root).is_none());
    assert!(Subject::of(std::slice::from_ref(&scene.leaf)).is_none());
    let other = Scene::new().deputy.0;
    assert!(Subject::of(&[scene.leaf.clone(), other]).is_none());
}

#[test]
fn a_good_answer_of_the_issuer_or_of_its_deputy() {
    let scene = Scene::new();
    let validity = scene.judge(&scene.answer().der()).expect("good");
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    assert_eq!(validity.next_update, now() + days(6));
    assert_eq!(validity.this_update, now() - days(1));
    let by_hash = Answer {
        by_hash: true,
        ..scene.answer()
    };
    assert!(scene.judge(&by_hash.der()).is_ok());
    let by_deputy = Answer {
        by: (&scene.deputy.0, &scene.deputy.1),
        attached: vec![&scene.root, &scene.deputy.0],
        ..scene.answer()
    };
    assert!(scene.judge(&by_deputy.der()).is_ok());
    let until_unsaid = Answer {
        this: "20300101233000Z",
        next: None,
        ..scene.answer()
    };
    let validity = scene.judge(&until_unsaid.der()).expect("good");
    assert_eq!(validity.next_update, now() + Duration::from_secs(30 * 60));
}

#[test]
fn answers_that_are_not_shown() {
    let scene = Scene::new();
    let judged = |answer: Answer<'_>| scene.judge(&answer.der()).expect_err("it is bad");
    let revoked = der::write(0xa1, &der::write(GENERALIZED_TIME, b"20300101000000Z"));
    let status = |status: &[u8]| Answer {
        status: status.to_vec(),
        ..scene.answer()
    };
    assert_eq!(judged(status(&revoked)), OcspError::Revoked);
    assert_eq!(judged(status(&[0x82, 0])), OcspError::Unknown);
    let from = |this, next| Answer {
        this,
        next,
        ..scene.answer()
    };
    let early = judged(from("20300103000000Z", Some("20300108000000Z")));
    assert!(matches!(early, OcspError::Early(_)), "{early}");
    for late in [
        from("20300101000000Z", Some("20300102000000Z")),
        from("20300101000000Z", None),
    ] {
        let late = judged(late);
        assert!(matches!(late, OcspError::Expired(_)), "{late}");
    }
    let other = Answer {
        leaf: &scene.deputy.0,
        ..scene.answer()
    };
    assert_eq!(judged(other), OcspError::Other);
    let elsewhere = Scene::new();
    let other = Answer {
        root: &elsewhere.root,
        ..scene.answer()
    };
    assert_eq!(judged(other), OcspError::Other, "of another issuer");
}

#[test]
fn signatures_of_others() {
    let scene = Scene::new();
    let elsewhere = Scene::new();
    let judged = |answer: Answer<'_>| scene.judge(&answer.der()).expect_err("it is bad");
    let by = |who: &(CertificateDer<'static>, KeyPair), attached: bool| {
        let answer = Answer {
            by: (&who.0, &who.1),
            attached: attached.then_some(&who.0).into_iter().collect(),
            ..scene.answer()
        };
        answer.der()
    };
    for (answer, why) in [
        (by(&scene.stranger, true), "not charged with it"),
        (by(&scene.deputy, false), "its certificate is missing"),
        (by(&elsewhere.deputy, true), "charged by somebody else"),
    ] {
        assert_eq!(scene.judge(&answer), Err(OcspError::Signature), "{why}");
    }
    let pretends = Answer {
        by: (&scene.root, elsewhere.issuer.key()),
        ..scene.answer()
    };
    assert_eq!(judged(pretends), OcspError::Signature);
    // The deputy says that it is the issuer.
    let misnamed = Answer {
        by: (&scene.root, &scene.deputy.1),
        attached: vec![&scene.deputy.0],
        ..scene.answer()
    };
    assert_eq!(judged(misnamed), OcspError::Signature);
    // 2098: the deputy's own certificate has long expired by then.
    let mut old = named("old");
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    old.not_before = rcgen::date_time_ymd(2019, 1, 1);
    old.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
    let key = KeyPair::generate().expect("a key");
    let certificate = old.signed_by(&key, &scene.issuer).expect("signed");
    let expired = (certificate.der().clone(), key);
    assert_eq!(scene.judge(&by(&expired, true)), Err(OcspError::Signature));
}

#[test]
fn every_bit_counts() {
    let scene = Scene::new();
    let good = scene.answer().der();
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert!(scene.judge(&changed).is_err(), "byte {at}");
        assert!(scene.judge(&good[..at]).is_err(), "the first {at}");
    }
    for (status, problem) in [(3, "try later"), (5, "no reason"), (6, "not ours")] {
        let refusal = scene.judge(&[0x30, 3, 0x0a, 1, status]);
        let refusal = refusal.expect_err("refused").to_string();
        assert!(refusal.contains(problem), "{refusal}");
    }
    assert_eq!(scene.judge(b"<html>"), Err(OcspError::Damaged));
    assert_eq!(scene.judge(&[0x30, 3, 0x0a, 1, 0]), Err(OcspError::Damaged));
}

#[test]
fn answers_are_kept_until_they_end() {
    let scene = Scene::new();
    let staples = Staples::default();
    let staple = |until| Staple {
        response: vec![until].into(),
        validity: Validity {
            this_update: now(),
            next_update: now() + Duration::from_secs(u64::from(until)),
        },
    };
    staples.put(&scene.subject(), staple(10));
    let second = Scene::new();
    staples.put(&second.subject(), staple(20));
    let current = |secs| staples.current(&scene.leaf, now() + Duration::from_secs(secs));
    assert_eq!(current(9), Some(vec![10]));
    assert_eq!(current(10), None);
    let subjects = [scene.subject(), second.subject()];
    assert!(!staples.keep(subjects.iter(), now()));
    assert!(staples.keep(subjects.iter(), now() + Duration::from_secs(15)));
    assert!(!staples.keep(subjects.iter(), now() + Duration::from_secs(15)));
    assert!(
        !staples.keep(subjects[..1].iter(), now()),
        "no longer served"
    );
    assert_eq!(staples.of(&second.subject()), None);
    assert_ne!(fingerprint(&scene.leaf), fingerprint(&second.leaf));
}

proptest! {
    #[test]
    fn nothing_panics(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let scene = SCENE.with(|scene| (scene.subject(), scene.answer().der()));
        let (subject, mut answer) = scene;
        for (at, byte) in edits {
            let at = at.index(answer.len());
            answer[at] = byte;
        }
        answer.truncate(cut.index(answer.len() * 2));
        let _ = subject.judge(&answer, now(), &provider());
    }
}

thread_local! {
    static SCENE: Scene = Scene::new();
}
