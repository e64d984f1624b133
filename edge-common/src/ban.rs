//! The ban table's value. Its key is a [`SourceKey`](crate::SourceKey).

/// Bans that can stand at once. The table is a plain hash that never evicts, so that a flood of
/// new bans cannot push out old ones; memory is taken as it fills (about 8 MiB when full).
pub const BANS_MAX: u32 = 65_536;

/// A ban.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// `CLOCK_MONOTONIC` nanoseconds from which the source is let through again; `u64::MAX` never.
    pub expires_ns: u64,
}

const _: () = assert!(size_of::<Ban>() == 8 && align_of::<Ban>() == 8);

impl Ban {
    /// Whether the ban is still in force.
    #[inline(always)]
    pub const fn holds(&self, now_ns: u64) -> bool {
        now_ns < self.expires_ns
    }
}

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: repr(C), one u64, no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::Ban {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_holds_until_its_expiry_and_not_at_it() {
        let ban = Ban { expires_ns: 10 };
        assert!(ban.holds(9) && !ban.holds(10) && !ban.holds(11));
        assert!(
            Ban {
                expires_ns: u64::MAX
            }
            .holds(u64::MAX - 1)
        );
    }
}
