//! QUIC connection IDs that say which worker they belong to (RFC 9000 §5.1).
//!
//! A client keeps the ID when it changes its port or address, so a packet can be brought to the
//! worker that holds the connection whatever the kernel's hash of the addresses would pick. Layout
//! 1, twelve bytes:
//!
//! | bytes | content |
//! |---|---|
//! | 0-7 | random |
//! | 8 | the worker's number, masked |
//! | 9 | the generation of the process's sockets, masked |
//! | 10-11 | check |
//!
//! Masks and check are a keyed hash (SipHash-1-3) of the random part and the layout's number: who
//! watches from outside can neither tell workers apart nor link the IDs of one connection, and an ID
//! that a client made up is taken for one of ours once in 65,536 times, which does no harm: it is a
//! choice of worker like any other.

/// How long the IDs are.
pub const CONNECTION_ID_BYTES: usize = 12;

const LAYOUT: u64 = 1;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The worker's number.
    pub worker: u8,
    /// Which sockets of that worker: they change when a process takes over from another.
    pub generation: u8,
}

/// The secret that masks and checks connection IDs.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SteerKey(pub [u64; 2]);

impl SteerKey {
    /// Makes an ID from eight random bytes.
    pub const fn seal(&self, random: u64, owner: Owner) -> [u8; CONNECTION_ID_BYTES] {
        let mask = self.mask(random);
        let r = random.to_le_bytes();
        [
            r[0],
            r[1],
            r[2],
            r[3],
            r[4],
            r[5],
            r[6],
            r[7],
            owner.worker ^ mask[0],
            owner.generation ^ mask[1],
            mask[2],
            mask[3],
        ]
    }

    /// Whose ID it is, if it is one of ours.
    #[inline(always)]
    pub const fn open(&self, id: &[u8; CONNECTION_ID_BYTES]) -> Option<Owner> {
        let random = u64::from_le_bytes([id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7]]);
        let mask = self.mask(random);
        if id[10] != mask[2] || id[11] != mask[3] {
            return None;
        }
        Some(Owner {
            worker: id[8] ^ mask[0],
            generation: id[9] ^ mask[1],
        })
    }

    /// SipHash-1-3 of one word; what would be the length of the message counts the layout too.
    #[inline(always)]
    const fn mask(&self, random: u64) -> [u8; 8] {
        let [k0, k1] = self.0;
        let mut v = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        v[3] ^= random;
        v = round(v);
        v[0] ^= random;
        let last = 8 << 56 | LAYOUT;
        v[3] ^= last;
        v = round(v);
        v[0] ^= last;
        v[2] ^= 0xff;
        v = round(round(round(v)));
        (v[0] ^ v[1] ^ v[2] ^ v[3]).to_le_bytes()
    }
}

#[inline(always)]
const fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: SteerKey = SteerKey([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);

    #[test]
    fn the_layout_stays_what_it_is() {
        let owner = Owner {
            worker: 3,
            generation: 9,
        };
        let id = KEY.seal(0x1122_3344_5566_7788, owner);
        assert_eq!(id[..8], 0x1122_3344_5566_7788u64.to_le_bytes());
        assert_eq!(KEY.open(&id), Some(owner));
        // A process that takes over from an older one must read its IDs.
        assert_eq!(id[8..], [0xc7, 0xbc, 0xc2, 0x18], "{id:02x?}");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_with_the_same_key_only(
            random in any::<u64>(), worker in any::<u8>(), generation in any::<u8>(), bit in 80usize..96
        ) {
            let owner = Owner { worker, generation };
            let mut id = KEY.seal(random, owner);
            prop_assert_eq!(KEY.open(&id), Some(owner));
            id[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(KEY.open(&id), None);
        }
    }

    #[test]
    fn made_up_ids_are_hardly_ever_ours() {
        let mut ours = 0;
        let mut state = 1u64;
        for _ in 0..200_000 {
            let mut id = [0; CONNECTION_ID_BYTES];
            for byte in &mut id {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *byte = (state >> 56) as u8;
            }
            ours += u32::from(KEY.open(&id).is_some());
        }
        assert!(ours < 20, "{ours} of 200000, and 3 were expected");
    }
}
