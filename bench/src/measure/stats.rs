//! Medians, spreads and a coin to toss.

/// Median and quartiles of a few numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quartiles {
    pub(crate) first: f64,
    pub(crate) median: f64,
    pub(crate) third: f64,
}

impl Quartiles {
    /// Of at least one number; interpolated between neighbours.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * values.len().checked_sub(1)? as f64;
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            Some(values[below] + (values[above] - values[below]) * place.fract())
        };
        Some(Self {
            first: at(0.25)?,
            median: at(0.5)?,
            third: at(0.75)?,
        })
    }

    /// The distance between the quartiles.
    pub(crate) fn spread(&self) -> f64 {
        self.third - self.first
    }
}

/// Puts `items` into a random order; `seed` carries the state from call to call and is never 0.
pub(crate) fn shuffle<T>(items: &mut [T], seed: &mut u64) {
    for end in (1..items.len()).rev() {
        // Marsaglia's xorshift64.
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        items.swap(end, (*seed % (end as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_interpolate() {
        let quartiles = Quartiles::of(vec![4.0, 1.0, 3.0, 2.0, 5.0]).expect("not empty");
        assert_eq!((quartiles.median, quartiles.spread()), (3.0, 2.0));
        let even = Quartiles::of(vec![1.0, 2.0]).expect("not empty");
        assert_eq!((even.first, even.median, even.third), (1.25, 1.5, 1.75));
        assert_eq!(Quartiles::of(Vec::new()), None);
    }

    #[test]
    fn both_orders_come_up() {
        let mut seed = 42;
        let orders: Vec<_> = (0..64)
            .map(|_| {
                let mut pair = [0, 1];
                shuffle(&mut pair, &mut seed);
                pair
            })
            .collect();
        let kept = orders.iter().filter(|order| **order == [0, 1]).count();
        assert!((16..48).contains(&kept), "{kept} of 64");
    }
}
