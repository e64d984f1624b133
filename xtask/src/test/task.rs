//! The task: runs the steps, goes on past failures, sums up.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::test::plan::{self, Step};
use crate::test::report::{Outcome, Report};
use crate::test::runner::Runner;
use crate::{setup, shell};

/// Check everything: formatting, lints, documentation, unit tests, end-to-end tests.
///
/// An end-to-end test that fails beside others is run once more by itself, and named in the summary
/// when it passes then. Run it as root to include what needs the kernel: the XDP programs and network namespaces. A
/// failed step does not stop the ones that do not depend on it. The last line counts the steps.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only this step and what it needs; may be given several times
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
    /// Also the long versions of tests: more streams, more time
    #[arg(long)]
    soak: bool,
}

/// Check everything the way continuous integration does.
///
/// The same steps as `test`, without colours and progress bars.
#[derive(Debug, clap::Args)]
pub(crate) struct CiOptions {
    #[command(flatten)]
    test: Options,
}

/// How a run differs from one at a keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Person,
    Machine,
}

/// Runs the task; as `ci` does where the environment says so.
pub(crate) fn test(repo: &Repo, options: &Options) -> Result<()> {
    let machine = std::env::var_os("CI").is_some_and(|value| value == "true");
    run(
        repo,
        options,
        if machine {
            Style::Machine
        } else {
            Style::Person
        },
    )
}

/// Runs the task for continuous integration.
pub(crate) fn ci(repo: &Repo, options: &CiOptions) -> Result<()> {
    run(repo, &options.test, Style::Machine)
}

fn run(repo: &Repo, options: &Options, style: Style) -> Result<()> {
    let runner = Runner::new().context("cannot listen for signals")?;
    let steps = plan::select(&options.only);
    let mut report = Report::default();
    for (position, step) in steps.iter().copied().enumerate() {
        let started = Instant::now();
        println!("\n== {}/{} {}", position + 1, steps.len(), step.name());
        let outcome = match report.blocker(step.needs()) {
            Some(need) => Outcome::Blocked(need),
            None => match perform(repo, step, options.soak, style, &runner) {
                Ok(again) if again.is_empty() => Outcome::Passed,
                Ok(again) => Outcome::PassedAgain(again),
                Err(reason) => Outcome::Failed(reason),
            },
        };
        let took = started.elapsed();
        println!(
            "== {} {} ({:.1} s)",
            step.name(),
            outcome.word(),
            took.as_secs_f32()
        );
        report.add(step, outcome, took);
        if runner.is_stopped() {
            break;
        }
    }
    println!("\n{}", report.summary());
    match report.counts() {
        (_, 0) if !runner.is_stopped() => Ok(()),
        _ => std::process::exit(1),
    }
}

/// One step: the tests that passed only when they ran by themselves, or the reason for the summary.
fn perform(
    repo: &Repo,
    step: Step,
    soak: bool,
    style: Style,
    runner: &Runner,
) -> Result<Vec<String>, String> {
    if step == Step::Setup {
        return setup::ensure(repo, setup::Group::Tests)
            .map(|()| Vec::new())
            .map_err(|error| {
                eprintln!("{error:#}");
                "see above".to_owned()
            });
    }
    let deadline = Instant::now() + step.deadline(soak);
    let commands = step
        .commands(repo, soak)
        .map_err(|error| format!("{error:#}"))?;
    // All of them, so that one failure does not hide another; the first is the reason.
    let mut result = Ok(Vec::new());
    for mut command in commands {
        if style == Style::Machine {
            command
                .env("CARGO_TERM_COLOR", "never")
                .env("CARGO_TERM_PROGRESS_WHEN", "never");
        }
        let ran = match step {
            Step::E2e => runner.run_tests(&mut command, deadline),
            _ => runner.run(&mut command, deadline).map(|()| Vec::new()),
        }
        .map_err(|why| format!("{}: {why}", shell::shown(&command)));
        result = match (result, ran) {
            (Ok(before), Ok(now)) => Ok([before, now].concat()),
            (before, now) => Err(before.err().or(now.err()).unwrap_or_default()),
        };
    }
    result
}
