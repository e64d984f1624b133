//! How much dearer one proxy is than another, and whether the numbers allow to say so.

use super::stats::Quartiles;

/// Fewer rounds than this have no interval that holds the median 95 times in 100.
const ROUNDS_MIN: usize = 6;
/// How often the interval may miss, both sides together.
const MISS: f64 = 0.05;

/// The ratio of two proxies that were measured in the same rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    /// Median of the ratios round by round: what disturbs a whole round drops out of it.
    pub(crate) median: f64,
    /// Between these is the true median, 95 times in 100; all that was seen when rounds are few.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Distance between the quartiles.
    spread: f64,
    rounds: usize,
}

/// What may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Less,
    More,
    /// The spread is larger than the difference.
    None,
}

impl Ratio {
    /// Of two rows of costs, round by round.
    pub(crate) fn of(own: &[f64], other: &[f64]) -> Option<Self> {
        let rounds = own.iter().zip(other);
        let mut ratios: Vec<f64> = rounds.map(|(own, other)| own / other).collect();
        ratios.retain(|ratio| ratio.is_finite());
        let quartiles = Quartiles::of(ratios.clone())?;
        ratios.sort_by(f64::total_cmp);
        let outer = outer(ratios.len());
        Some(Self {
            median: quartiles.median,
            low: ratios[outer],
            high: ratios[ratios.len() - 1 - outer],
            spread: quartiles.spread(),
            rounds: ratios.len(),
        })
    }

    /// Whether `own` costs less than `other`.
    pub(crate) fn verdict(&self) -> Verdict {
        self.against(1.0)
    }

    /// Whether the ratio is below or above `mark`.
    pub(crate) fn against(&self, mark: f64) -> Verdict {
        let told_apart = self.rounds >= ROUNDS_MIN && self.spread < (self.median - mark).abs();
        match told_apart {
            true if self.high < mark => Verdict::Less,
            true if self.low > mark => Verdict::More,
            _ => Verdict::None,
        }
    }
}

impl Verdict {
    /// The word for it, of costs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Less => "less",
            Self::More => "more",
            Self::None => "no verdict",
        }
    }
}

/// How many of `count` sorted numbers may be left out on each side so that the median of what they
/// were drawn from is still between the rest: each is above it as often as below, whatever their
/// distribution, so the number below is binomial.
fn outer(count: usize) -> usize {
    let mut probability = 0.5_f64.powi(count as i32);
    let mut tail = 0.0;
    for below in 0..count / 2 {
        tail += probability;
        if 2.0 * tail > MISS {
            return below.saturating_sub(1);
        }
        probability *= (count - below) as f64 / (below + 1) as f64;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_sign_test() {
        // Tables of the binomial distribution: 2 of 10 and 4 of 16 lie outside at most.
        assert_eq!([1, 5, 6, 10, 16, 25].map(outer), [0, 0, 0, 1, 3, 7]);
    }

    #[test]
    fn a_difference_within_the_spread_is_no_difference() {
        let ones = [1.0; 10];
        let noisy = [0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1, 1.2, 1.4];
        let ratio = Ratio::of(&noisy, &ones).expect("rounds");
        assert_eq!(ratio.verdict(), Verdict::None);
        let quiet = noisy.map(|cost| 0.6 + cost / 100.0);
        let ratio = Ratio::of(&quiet, &ones).expect("rounds");
        assert_eq!(ratio.verdict(), Verdict::Less);
        let back = Ratio::of(&ones, &quiet).expect("rounds");
        assert_eq!(back.verdict(), Verdict::More);
        assert_eq!(ratio.against(0.609), Verdict::None);
        assert_eq!(ratio.against(0.5), Verdict::More);
    }

    #[test]
    fn few_rounds_say_nothing_however_clear_they_look() {
        let ratio = Ratio::of(&[0.1; 5], &[1.0; 5]).expect("rounds");
        assert_eq!(ratio.verdict(), Verdict::None);
        assert_eq!(Ratio::of(&[], &[]), None);
        assert_eq!(Ratio::of(&[1.0], &[0.0]), None);
    }

    #[test]
    fn what_slows_a_whole_round_drops_out() {
        let (own, other) = (
            [1.0, 9.0, 1.1, 0.9, 1.0, 7.0],
            [2.0, 18.0, 2.2, 1.8, 2.0, 14.0],
        );
        let ratio = Ratio::of(&own, &other).expect("rounds");
        assert!((ratio.median - 0.5).abs() < 1e-9 && ratio.high - ratio.low < 1e-9);
        assert_eq!(ratio.verdict(), Verdict::Less);
    }
}
