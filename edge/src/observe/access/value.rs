//! The values of a JSON line, each written behind the text that opens it.

use std::net::IpAddr;

use super::json;

/// Bytes kept of the fields that come from the configuration.
pub(super) const NAME_MAX: usize = 256;

// In these, `open` is everything up to the value, so that it is copied in one piece.

pub(super) fn bytes(out: &mut Vec<u8>, open: &str, value: &[u8], max: usize) {
    out.extend_from_slice(open.as_bytes());
    json::push(out, value, max);
    out.push(b'"');
}

pub(super) fn text(out: &mut Vec<u8>, open: &str, value: Option<&str>) {
    if let Some(value) = value {
        bytes(out, open, value.as_bytes(), NAME_MAX);
    }
}

/// One of the words that stand for themselves in JSON.
pub(super) fn word(out: &mut Vec<u8>, open: &str, value: &'static str) {
    out.extend_from_slice(open.as_bytes());
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

pub(super) fn number(out: &mut Vec<u8>, open: &str, value: u64) {
    out.extend_from_slice(open.as_bytes());
    decimal(out, value);
}

/// Microseconds as milliseconds with three decimals.
pub(super) fn millis(out: &mut Vec<u8>, open: &str, value_us: Option<u64>) {
    let Some(value_us) = value_us else { return };
    number(out, open, value_us / 1000);
    let fraction = value_us % 1000;
    let digit = |divisor| b'0' + (fraction / divisor % 10) as u8;
    out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
}

pub(super) fn decimal(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

pub(super) fn ip(out: &mut Vec<u8>, addr: IpAddr) {
    match addr.to_canonical() {
        IpAddr::V4(addr) => {
            for (position, octet) in addr.octets().into_iter().enumerate() {
                if position > 0 {
                    out.push(b'.');
                }
                decimal(out, octet.into());
            }
        }
        IpAddr::V6(addr) => {
            use std::io::Write;
            write!(out, "{addr}").expect("a vector takes every byte");
        }
    }
}
