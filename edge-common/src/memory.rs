//! What is remembered of clients beyond their bans. The program never looks at it: it is kept where
//! the bans are so that it outlives the proxy with them.

/// Clients whose past bans are remembered. Entries are allocated as they come, some 100 bytes each.
pub const OFFENDERS_MAX: u32 = 65_536;

/// Reasons that are kept. Entries are allocated as they come, some 350 bytes each.
pub const REASONS_MAX: u32 = 16_384;

/// Bytes of a reason; what is longer is cut.
pub const REASON_BYTES: usize = 256;

/// The past bans of a client, one that still stands included. Times are `CLOCK_MONOTONIC`
/// nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offender {
    /// When the last ban ends, or ended.
    pub until_ns: u64,
    /// When all is forgotten.
    pub forget_ns: u64,
    /// How many bans there were.
    pub bans: u16,
    reserved: [u8; 6],
}

const _: () = assert!(size_of::<Offender>() == 24 && align_of::<Offender>() == 8);

impl Offender {
    /// A client that was banned so often.
    pub const fn new(bans: u16, until_ns: u64, forget_ns: u64) -> Offender {
        Offender {
            until_ns,
            forget_ns,
            bans,
            reserved: [0; 6],
        }
    }
}

/// Why an operator has banned a client: text, then zeros.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason([u8; REASON_BYTES]);

impl Reason {
    /// The reason in these words, as far as there is room for them.
    pub fn new(text: &str) -> Reason {
        let mut end = text.len().min(REASON_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = [0; REASON_BYTES];
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        Reason(bytes)
    }

    /// The words; nothing if they are none.
    pub fn text(&self) -> &str {
        let end = self.0.iter().position(|&byte| byte == 0);
        let text = &self.0[..end.unwrap_or(REASON_BYTES)];
        core::str::from_utf8(text).unwrap_or_default()
    }
}

impl From<[u8; REASON_BYTES]> for Reason {
    fn from(bytes: [u8; REASON_BYTES]) -> Reason {
        Reason(bytes)
    }
}

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: repr(C), no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::Offender {}
    // SAFETY: transparent bytes.
    unsafe impl aya::Pod for super::Reason {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_two_characters() {
        assert_eq!(Reason::new("scraper").text(), "scraper");
        assert_eq!(Reason::new("").text(), "");
        let umlauts = "x\u{e4}".repeat(REASON_BYTES);
        let cut = Reason::new(&umlauts);
        assert!(umlauts.starts_with(cut.text()) && cut.text().len() >= REASON_BYTES - 1);
        assert_eq!(Reason([0xff; REASON_BYTES]).text(), "");
    }
}
