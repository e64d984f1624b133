//! The one-line summary: what changed since the last look.

use std::time::Instant;

use crate::run::metrics::Sample;

/// Remembers the last reading.
#[derive(Debug, Default)]
pub(super) struct Summary {
    last: Option<(Instant, Sample)>,
}

impl Summary {
    /// The line for a reading made `now`.
    pub(super) fn line(&mut self, now: Instant, sample: Option<Sample>) -> String {
        let Some(sample) = sample else {
            self.last = None;
            return "the metrics page does not answer".to_owned();
        };
        let per_second = |value: fn(&Sample) -> f64| match &self.last {
            Some((before, last)) => {
                let seconds = now
                    .saturating_duration_since(*before)
                    .as_secs_f64()
                    .max(0.001);
                // A counter goes back when edge was restarted; that is not a negative rate.
                ((value(&sample) - value(last)) / seconds).max(0.0)
            }
            None => 0.0,
        };
        let line = format!(
            "requests {:.0}/s   event streams {:.0}   dropped packets {:.0}/s ({:.0} so far)   bans {:.0}",
            per_second(|sample| sample.requests),
            sample.streams,
            per_second(|sample| sample.dropped),
            sample.dropped,
            sample.bans,
        );
        self.last = Some((now, sample));
        line
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rates_are_per_second_and_never_negative() {
        let start = Instant::now();
        let sample = |requests: f64, dropped: f64| {
            Some(Sample {
                requests,
                streams: 3.0,
                dropped,
                bans: 1.0,
                shield: true,
            })
        };
        let mut summary = Summary::default();
        assert_eq!(
            summary.line(start, sample(100.0, 50.0)),
            "requests 0/s   event streams 3   dropped packets 0/s (50 so far)   bans 1"
        );
        assert_eq!(
            summary.line(start + Duration::from_secs(2), sample(110.0, 70.0)),
            "requests 5/s   event streams 3   dropped packets 10/s (70 so far)   bans 1"
        );
        let restarted = summary.line(start + Duration::from_secs(3), sample(0.0, 0.0));
        assert!(restarted.starts_with("requests 0/s"), "{restarted}");
    }
}
