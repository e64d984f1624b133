//! Reading the samples that `perf record` took.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::fold::Folded;

/// Stacks and how often each was seen.
pub(super) fn read(path: &Path) -> Result<Folded> {
    let mut script = Command::new("perf")
        .args(["script", "--no-inline", "-F", "comm,ip,sym", "-i"])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run perf script")?;
    let output = script.stdout.take().context("it is piped")?;
    let mut folded = Folded::default();
    for line in BufReader::new(output).split(b'\n') {
        folded.line(&String::from_utf8_lossy(&line?));
    }
    folded.line("");
    let status = script.wait()?;
    ensure!(
        status.success() && folded.samples() > 0,
        "perf has no samples in {}: was the slice too short?",
        path.display()
    );
    Ok(folded)
}
