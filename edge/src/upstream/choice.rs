//! Which of several servers: the arithmetic of the policies, without servers.
//!
//! A candidate is a number below `count`; one whose weight is 0 cannot be chosen.

/// Power of two choices: of two picked at random by weight, the one with less to do for its weight.
/// Close to the best choice of all, without the herd that rushes to it.
pub(super) fn least_of_two(
    count: usize,
    weight: impl Fn(usize) -> u32,
    load: impl Fn(usize) -> usize,
    mut random: impl FnMut() -> u64,
) -> Option<usize> {
    let first = pick(count, &weight, random())?;
    let others = |i: usize| if i == first { 0 } else { weight(i) };
    let Some(second) = pick(count, others, random()) else {
        return Some(first);
    };
    // Two that have nothing to do are even: the pick by weight stands.
    let burden = |i: usize, other: usize| load(i) as u64 * u64::from(weight(other));
    match burden(second, first) < burden(first, second) {
        true => Some(second),
        false => Some(first),
    }
}

fn pick(count: usize, weight: impl Fn(usize) -> u32, random: u64) -> Option<usize> {
    let total: u64 = (0..count).map(|i| u64::from(weight(i))).sum();
    let mut at = random.checked_rem(total)?;
    (0..count).find(|&i| {
        let weight = u64::from(weight(i));
        let found = at < weight;
        at = at.wrapping_sub(weight);
        found
    })
}

/// Smooth weighted round robin: everybody gains its weight, the richest is chosen and pays what all
/// have gained together. Three of weight 2, 1, 1 come as a b c a, not as a a b c.
pub(super) fn round_robin(
    count: usize,
    weight: impl Fn(usize) -> u32,
    credit: impl Fn(usize) -> i64,
    set_credit: impl Fn(usize, i64),
) -> Option<usize> {
    let mut total = 0;
    let mut richest: Option<usize> = None;
    for i in (0..count).filter(|&i| weight(i) > 0) {
        let gain = i64::from(weight(i));
        total += gain;
        set_credit(i, credit(i) + gain);
        if richest.is_none_or(|richest| credit(i) > credit(richest)) {
            richest = Some(i);
        }
    }
    let richest = richest?;
    set_credit(richest, credit(richest) - total);
    Some(richest)
}

/// Rendezvous hashing: each candidate draws a number from key and identity, the highest wins. When
/// one leaves only its own keys move.
pub(super) fn rendezvous(
    count: usize,
    weight: impl Fn(usize) -> u32,
    identity: impl Fn(usize) -> u64,
    key: u64,
) -> Option<usize> {
    let draw = |i: usize| {
        let hash = mix(key ^ mix(identity(i)));
        // A number in 0..1, never 0; with -w / ln(h) shares follow the weights exactly.
        let unit = ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        -f64::from(weight(i)) / unit.ln()
    };
    (0..count)
        .filter(|&i| weight(i) > 0)
        .max_by(|&a, &b| draw(a).total_cmp(&draw(b)))
}

/// FNV-1a: keys are short, and nobody gains by a collision.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &b| {
        (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of SplitMix64: spreads what FNV leaves alike.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// xorshift64: choices need to differ, not to be unpredictable.
pub(super) fn next_random(state: u64) -> u64 {
    let mut x = state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    const ROUNDS: u32 = 100_000;

    fn shares(weights: &[u32], mut choose: impl FnMut(u32) -> Option<usize>) -> Vec<f64> {
        let mut counts = vec![0u32; weights.len()];
        for round in 0..ROUNDS {
            counts[choose(round).expect("somebody can be chosen")] += 1;
        }
        counts
            .iter()
            .map(|&n| f64::from(n) / f64::from(ROUNDS))
            .collect()
    }

    fn assert_close(shares: &[f64], expected: &[f64]) {
        for (share, expected) in shares.iter().zip(expected) {
            assert!((share - expected).abs() < 0.01, "{shares:?}");
        }
    }

    fn random() -> impl FnMut() -> u64 {
        let state = Cell::new(42);
        move || {
            state.set(next_random(state.get()));
            state.get()
        }
    }

    #[test]
    fn shares_follow_weights() {
        let weights = [1, 3, 0, 4];
        let expected = [0.125, 0.375, 0.0, 0.5];
        let weight = |i: usize| weights[i];
        let mut random = random();
        // As many in flight as the weight: everybody is equally busy.
        let picks = shares(&weights, |_| pick(4, weight, random()));
        assert_close(&picks, &expected);
        let credits = RefCell::new([0i64; 4]);
        let turns = shares(&weights, |_| {
            round_robin(
                4,
                weight,
                |i| credits.borrow()[i],
                |i, credit| credits.borrow_mut()[i] = credit,
            )
        });
        assert_close(&turns, &expected);
        let hashed = shares(&weights, |round| {
            rendezvous(4, weight, |i| i as u64, hash(&round.to_le_bytes()))
        });
        assert_close(&hashed, &expected);
    }

    #[test]
    fn the_less_busy_of_two_is_chosen() {
        let mut random = random();
        for _ in 0..100 {
            let loads = [5, 2];
            assert_eq!(least_of_two(2, |_| 1, |i| loads[i], &mut random), Some(1));
            // Six of weight 10 are less than two of weight 1.
            let (loads, weights) = ([6, 2], [10, 1]);
            assert_eq!(
                least_of_two(2, |i| weights[i], |i| loads[i], &mut random),
                Some(0)
            );
        }
        assert_eq!(least_of_two(1, |_| 1, |_| 9, &mut random), Some(0));
        assert_eq!(least_of_two(3, |_| 0, |_| 0, &mut random), None);
        assert_eq!(least_of_two(0, |_| 1, |_| 0, &mut random), None);
    }

    #[test]
    fn turns_alternate() {
        let credits = RefCell::new([0i64; 3]);
        let weights = [2, 1, 1];
        let turns: Vec<usize> = (0..8)
            .filter_map(|_| {
                round_robin(
                    3,
                    |i| weights[i],
                    |i| credits.borrow()[i],
                    |i, credit| credits.borrow_mut()[i] = credit,
                )
            })
            .collect();
        assert_eq!(turns, [0, 1, 2, 0, 0, 1, 2, 0]);
    }

    #[test]
    fn when_a_server_leaves_only_its_keys_move() {
        let all = |key| rendezvous(5, |_| 1, |i| i as u64, key);
        let without = |key| rendezvous(5, |i| u32::from(i != 2), |i| i as u64, key);
        for key in (0..1000u32).map(|key| hash(&key.to_le_bytes())) {
            match all(key) {
                Some(2) => assert_ne!(without(key), Some(2)),
                other => assert_eq!(without(key), other),
            }
        }
    }
}
