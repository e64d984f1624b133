//! What came of each step, and the summary at the end.

use std::fmt::Write as _;
use std::time::Duration;

use crate::test::plan::Step;

/// How a step ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Passed,
    /// With the tests that passed only when they ran by themselves.
    PassedAgain(Vec<String>),
    /// With the reason.
    Failed(String),
    /// Not tried, because this step had failed.
    Blocked(Step),
}

impl Outcome {
    fn is_passed(&self) -> bool {
        matches!(self, Self::Passed | Self::PassedAgain(_))
    }

    /// In one word.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Passed | Self::PassedAgain(_) => "passed",
            Self::Failed(_) | Self::Blocked(_) => "FAILED",
        }
    }
}

/// The steps so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    steps: Vec<(Step, Outcome, Duration)>,
}

impl Report {
    /// Adds a step.
    pub(super) fn add(&mut self, step: Step, outcome: Outcome, took: Duration) {
        self.steps.push((step, outcome, took));
    }

    /// The first of `needs` that did not pass.
    pub(super) fn blocker(&self, needs: &[Step]) -> Option<Step> {
        let failed = |(step, outcome, _): &&(Step, Outcome, Duration)| {
            needs.contains(step) && !outcome.is_passed()
        };
        self.steps.iter().find(failed).map(|(step, ..)| *step)
    }

    /// Steps that passed and steps that did not.
    pub(super) fn counts(&self) -> (usize, usize) {
        let passed = self
            .steps
            .iter()
            .filter(|(_, outcome, _)| outcome.is_passed())
            .count();
        (passed, self.steps.len() - passed)
    }

    /// The table and the closing line.
    pub(super) fn summary(&self) -> String {
        let mut text = String::new();
        for (step, outcome, took) in &self.steps {
            let word = outcome.word();
            let reason = match outcome {
                Outcome::Passed => String::new(),
                Outcome::PassedAgain(tests) => {
                    format!("  only when run by themselves: {}", tests.join(", "))
                }
                Outcome::Failed(reason) => format!("  {reason}"),
                Outcome::Blocked(need) => format!("  not run: {} failed", need.name()),
            };
            let seconds = took.as_secs_f32();
            writeln!(text, "  {:<8} {word} {seconds:>7.1} s{reason}", step.name())
                .expect("a string takes everything");
        }
        let (passed, failed) = self.counts();
        let total: Duration = self.steps.iter().map(|(.., took)| *took).sum();
        writeln!(text, "  {:<15} {:>7.1} s\n", "all", total.as_secs_f32())
            .expect("a string takes everything");
        writeln!(text, "{passed} passed, {failed} failed").expect("a string takes everything");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_steps_and_blocked_ones_failed() {
        let mut report = Report::default();
        report.add(Step::Setup, Outcome::Passed, Duration::from_millis(1500));
        report.add(
            Step::Build,
            Outcome::Failed("exit status: 101".into()),
            Duration::from_secs(3),
        );
        assert_eq!(report.blocker(Step::E2e.needs()), Some(Step::Build));
        report.add(Step::E2e, Outcome::Blocked(Step::Build), Duration::ZERO);
        report.add(
            Step::Unit,
            Outcome::PassedAgain(vec!["a::b".into()]),
            Duration::ZERO,
        );
        let summary = report.summary();
        assert_eq!(summary.lines().last(), Some("2 passed, 2 failed"));
        assert!(summary.contains("by themselves: a::b"), "{summary}");
        assert!(summary.contains("not run: build failed"), "{summary}");
    }
}
