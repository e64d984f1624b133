//! Variable-length integers (RFC 9000 §16): the first two bits say how many bytes there are.

/// The largest value there is room for.
pub(super) const VARINT_MAX: u64 = (1 << 62) - 1;

/// The integer at the start of `bytes` and how many bytes it takes; `None` while it is not whole.
pub fn decode_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = 1 << (first >> 6);
    let rest = bytes.get(1..len)?;
    let value = rest.iter().fold(u64::from(first & 0x3f), |value, &byte| {
        value << 8 | u64::from(byte)
    });
    Some((value, len))
}

/// How many bytes a value takes.
pub const fn varint_len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

/// Appends a value; what is too large for the format is cut to its largest.
pub fn encode_varint(value: u64, out: &mut Vec<u8>) {
    let value = value.min(VARINT_MAX);
    let len = varint_len(value);
    let tagged = value | (len.trailing_zeros() as u64) << (len * 8 - 2);
    out.extend_from_slice(&tagged.to_be_bytes()[8 - len..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The samples of RFC 9000 appendix A.1.
    #[test]
    fn the_samples_of_the_rfc() {
        for (bytes, value) in [
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..],
                151_288_809_941_952_652,
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
        ] {
            assert_eq!(decode_varint(bytes), Some((value, bytes.len())));
            let mut out = Vec::new();
            encode_varint(value, &mut out);
            assert_eq!(out, bytes);
            assert_eq!(decode_varint(&bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(
            decode_varint(&[0x40, 0x25]),
            Some((37, 2)),
            "longer than it need be"
        );
    }
}
