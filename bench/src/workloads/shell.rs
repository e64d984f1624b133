//! Programs of the system that set scenes and read them.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Runs a program to its end; what it printed.
pub(super) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    output(Command::new(program).args(arguments))
}

/// Runs a command to its end; what it printed.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {shown}; `cargo xtask setup --tests` installs it"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{shown}: {complaint}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same with lines to read.
pub(super) fn feed(program: &str, arguments: &[&str], input: String) -> Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let mut stdin = child.stdin.take().context("it was asked for")?;
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program}: {complaint}");
    // A program that did not read to the end has said why.
    let _ = writer.join();
    Ok(())
}

/// Runs a program that prints JSON.
pub(super) fn json(program: &str, arguments: &[&str]) -> Result<Value> {
    let text = run(program, arguments)?;
    serde_json::from_str(&text).with_context(|| format!("{program} printed {text:?}"))
}

/// A command inside a network namespace. `ip netns exec` would mount another /sys, without the BPF
/// file system.
pub(super) fn inside(netns: &str, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net=/run/netns/{netns}"))
        .arg(program);
    command
}
