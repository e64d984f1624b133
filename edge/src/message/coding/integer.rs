//! Integers that start inside a byte (RFC 7541 §5.1).

use super::Undecodable;

/// Takes an integer with a prefix of `bits` bits off the front of `input`.
pub(in crate::message) fn take(input: &mut &[u8], bits: u32) -> Result<u64, Undecodable> {
    let (&first, mut rest) = input.split_first().ok_or(Undecodable)?;
    let prefix_max = (1u64 << bits) - 1;
    let mut value = u64::from(first) & prefix_max;
    if value == prefix_max {
        let mut shift = 0;
        loop {
            let (&byte, tail) = rest.split_first().ok_or(Undecodable)?;
            rest = tail;
            // 62 bits is what QPACK asks for (RFC 9204 §4.1.1).
            if shift > 56 {
                return Err(Undecodable);
            }
            value += u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *input = rest;
    Ok(value)
}

/// Appends an integer behind the flags above its prefix.
pub(in crate::message) fn put(flags: u8, bits: u32, value: u64, out: &mut Vec<u8>) {
    let prefix_max = (1u64 << bits) - 1;
    if value < prefix_max {
        out.push(flags | value as u8);
        return;
    }
    out.push(flags | prefix_max as u8);
    let mut rest = value - prefix_max;
    while rest >= 0x80 {
        out.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_taken() {
        for bits in 3..=7 {
            for value in [0, 1, 6, 7, 8, 126, 127, 128, 1337, 1 << 32, (1 << 62) - 1] {
                let mut out = Vec::new();
                put(0, bits, value, &mut out);
                let mut input = &out[..];
                assert_eq!(take(&mut input, bits), Ok(value), "{value} in {bits}");
                assert!(input.is_empty());
                for end in 0..out.len() {
                    assert_eq!(take(&mut &out[..end], bits), Err(Undecodable));
                }
            }
        }
        let endless = [0xff; 64];
        assert_eq!(take(&mut &endless[..], 5), Err(Undecodable));
    }
}
