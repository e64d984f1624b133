//! `traceparent` (W3C Trace Context §3.2).

/// The trace that a request belongs to, and the span that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: [u8; 16],
    /// The span of whoever sends this.
    pub span: [u8; 8],
    /// That span is recorded.
    pub is_sampled: bool,
}

impl TraceParent {
    /// Reads a value of version 00, or of a later one, which begins with the same fields.
    pub fn parse(value: &[u8]) -> Option<TraceParent> {
        let mut parts = value.split(|&byte| byte == b'-');
        let [version] = hex(parts.next()?)?;
        let parent = TraceParent {
            trace: hex(parts.next()?)?,
            span: hex(parts.next()?)?,
            is_sampled: hex::<1>(parts.next()?)?[0] & 1 == 1,
        };
        let is_whole = version != 0 || parts.next().is_none();
        let is_known = version != 0xff && parent.trace != [0; 16] && parent.span != [0; 8];
        (is_whole && is_known).then_some(parent)
    }

    /// The value, in version 00.
    pub fn text(&self) -> [u8; 55] {
        let mut text = [b'-'; 55];
        text[..2].copy_from_slice(b"00");
        write_hex(&mut text[3..35], &self.trace);
        write_hex(&mut text[36..52], &self.span);
        write_hex(&mut text[53..], &[u8::from(self.is_sampled)]);
        text
    }
}

/// `N` bytes in lower-case hexadecimal.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn write_hex(text: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::TraceParent;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_example_of_the_specification_comes_out_as_it_went_in() {
        let parent = TraceParent::parse(GOOD.as_bytes()).expect("it is valid");
        assert!(parent.is_sampled);
        assert_eq!(parent.trace[..2], [0x0a, 0xf7]);
        assert_eq!(parent.text(), GOOD.as_bytes());
        let not = TraceParent {
            is_sampled: false,
            ..parent
        };
        assert_eq!(TraceParent::parse(&not.text()), Some(not));
    }

    #[test]
    fn later_versions_may_say_more_and_nothing_else_may() {
        let later = format!("cc{}-more", &GOOD[2..]);
        assert!(TraceParent::parse(later.as_bytes()).is_some());
        for bad in [
            format!("{GOOD}-more"),
            format!("ff{}", &GOOD[2..]),
            GOOD.to_uppercase(),
            GOOD.replace("b7ad6b7169203331", "0000000000000000"),
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            GOOD[..GOOD.len() - 1].to_owned(),
            GOOD.replace("b7ad", "b7"),
            String::new(),
        ] {
            assert_eq!(TraceParent::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
