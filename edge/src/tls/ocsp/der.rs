//! The few shapes of DER that OCSP is made of; the parser of single elements is that of `asn1-rs`.

use std::time::{Duration, SystemTime};

use x509_parser::asn1_rs::{Any, FromDer};
use x509_parser::time::ASN1Time;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BITS: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;

/// `[n]` around something.
pub(super) const fn explicit(n: u8) -> u8 {
    0xa0 | n
}

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) content: &'a [u8],
    /// With its tag and length.
    pub(super) whole: &'a [u8],
}

/// Elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next element, if its first byte is this.
    pub(super) fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        match self.0.first() {
            Some(first) if *first == tag => self.any(),
            _ => None,
        }
    }

    /// The next element, whatever it is.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let (rest, any) = Any::from_der(self.0).ok()?;
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Some(Element {
            content: any.data,
            whole,
        })
    }

    /// What is in the next element.
    pub(super) fn inside(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.take(tag).map(|element| Reader(element.content))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The bytes of a bit string that has no bits to spare.
pub(super) fn octets_of_bits(content: &[u8]) -> Option<&[u8]> {
    content.strip_prefix(&[0])
}

/// RFC 6960 §4.2.2.1: times are GeneralizedTime.
pub(super) fn time(element: Element<'_>) -> Option<SystemTime> {
    let (_, time) = ASN1Time::from_der(element.whole).ok()?;
    let seconds = u64::try_from(time.timestamp()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Writes an element.
pub(super) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    match u8::try_from(length) {
        Ok(short @ ..0x80) => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let first = bytes.iter().position(|&byte| byte != 0).unwrap_or(0);
            let bytes = &bytes[first..];
            out.push(0x80 | bytes.len() as u8);
            out.extend_from_slice(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}
