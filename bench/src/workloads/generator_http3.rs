//! The generator's HTTP/3 client against one that somebody else wrote: aioquic.
//!
//! Both make the same calls at the same pace, too slow to be in anybody's way, over one connection
//! each, through the same edge to the same origin. Every answer has to be the same byte for byte.
//! How long a call takes, a client sees for itself, so there is a referee: the access log of edge, which
//! sees all calls alike. What aioquic takes longer by its own clock is Python. Compared are lower
//! quartiles, which other work on the machine moves least.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::generator::Origin;
use super::stage::Stage;
use crate::clock::pause;
use crate::load::{FIELDS, HTTP3, Tasks, call_body, client_config};
use crate::measure::{Quartiles, watch_interrupt};
use crate::origin::{NONCE_AT, NONCE_BYTES};
use crate::peers::{Peer, Proxy};
use crate::report::Table;

const CALLS: u64 = 300;
const PAUSE: Duration = Duration::from_millis(10);
/// Edge writes its log in batches.
const LOG_WAIT: Duration = Duration::from_millis(500);
/// What edge says of them may lie so far apart: waking a client's CPU.
const SAME_US: f64 = 500.0;

/// What one client made of the calls.
struct Seen {
    answers: Vec<u8>,
    /// By its own clock.
    p25_us: f64,
    log: Logged,
}

/// What edge says of them.
struct Logged {
    calls: usize,
    bytes_in: u64,
    bytes_out: u64,
    p25_us: f64,
}

/// Measures and prints.
///
/// # Errors
/// When the two do not agree, or aioquic is not there.
pub(super) fn check() -> Result<()> {
    watch_interrupt()?;
    let python = python()?;
    let stage = Stage::set(&[Peer::from(Proxy::Edge)], Origin::start()?)?;
    let running = &stage.running[0];
    let log = running.dir.join("edge-access.log");

    let mut tasks = Tasks::new()?;
    let tls = client_config(stage.identity.authority.clone(), HTTP3)?;
    let fleet = tasks.connect(running.address, &tls, 1)?;
    let mut answers = Vec::new();
    let slice = tasks.paced(fleet, CALLS, PAUSE, &mut answers)?;
    let own = Seen {
        answers,
        p25_us: slice.latency_us.value_at_quantile(0.25) as f64,
        log: logged(&log, 0)?,
    };

    let answers = running.dir.join("aioquic-answers");
    let p25_us = aioquic(&python, running.address.port(), &answers)?;
    let other = Seen {
        answers: fs::read(&answers)?,
        p25_us,
        log: logged(&log, own.log.calls)?,
    };
    print(&[("this one", &own), ("aioquic", &other)]);
    judge(&own, &other)
}

fn judge(own: &Seen, other: &Seen) -> Result<()> {
    for seen in [own, other] {
        ensure!(
            seen.log.calls as u64 == CALLS,
            "edge has not seen {CALLS} calls of each"
        );
    }
    ensure!(own.answers == other.answers, "the answers are not the same");
    let bytes = |seen: &Seen| (seen.log.bytes_in, seen.log.bytes_out);
    ensure!(bytes(own) == bytes(other), "not the same bytes of bodies");
    let by = own.log.p25_us - other.log.p25_us;
    ensure!(by.abs() <= SAME_US, "{by:+.0} us a call by the log of edge");
    println!(
        "the same answers; {by:+.0} us a call by the log of edge, {:+.0} by the clocks of the clients",
        own.p25_us - other.p25_us
    );
    Ok(())
}

/// The peers of the end-to-end tests.
fn python() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("a target directory")?;
    let python = target.join("venv/peers/bin/python");
    if !python.is_file() {
        bail!(
            "no aioquic at {}; to get it: cargo xtask setup --tests",
            python.display()
        );
    }
    Ok(python)
}

/// Has aioquic make the calls; returns the lower quartile of what it saw, in microseconds.
fn aioquic(python: &Path, port: u16, answers: &Path) -> Result<f64> {
    let task = json!({
        "port": port,
        "calls": CALLS,
        "pause_s": PAUSE.as_secs_f64(),
        "fields": FIELDS,
        "body": String::from_utf8(call_body(&[b'0'; NONCE_BYTES]).to_vec())?,
        "nonce_at": NONCE_AT,
        "answers": answers,
    });
    let output = Command::new(python)
        .args(["-c", include_str!("../../peers/h3_calls.py")])
        .arg(task.to_string())
        .stdin(Stdio::null())
        .output()
        .context("cannot run aioquic")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "aioquic has failed: {complaint}");
    let told: Value = serde_json::from_slice(&output.stdout)?;
    told["p25_us"].as_f64().context("a quartile")
}

/// The calls in the log behind the first `skip`.
fn logged(path: &Path, skip: usize) -> Result<Logged> {
    pause(LOG_WAIT);
    let text = fs::read_to_string(path)?;
    let lines = text.lines().map(serde_json::from_str::<Value>);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>()?;
    let calls: Vec<&Value> = lines
        .iter()
        .filter(|line| line["path"] == "/mcp")
        .skip(skip)
        .collect();
    for call in &calls {
        ensure!(call["status"] == 200 && call["protocol"] == "h3", "{call}");
    }
    let sum = |field: &str| calls.iter().filter_map(|call| call[field].as_u64()).sum();
    let took = calls.iter().filter_map(|call| call["duration_ms"].as_f64());
    let took = took.map(|ms| ms * 1e3).collect();
    Ok(Logged {
        calls: calls.len(),
        bytes_in: sum("bytes_in"),
        bytes_out: sum("bytes_out"),
        p25_us: Quartiles::of(took)
            .context("no calls in the log of edge")?
            .first,
    })
}

fn print(all: &[(&str, &Seen)]) {
    let header = [
        "client",
        "calls",
        "bytes in",
        "bytes out",
        "p25 us of edge",
        "p25 us of client",
    ];
    let mut table = Table::new(header.map(str::to_owned).to_vec());
    for (name, seen) in all {
        table.row(vec![
            (*name).to_owned(),
            seen.log.calls.to_string(),
            seen.log.bytes_in.to_string(),
            seen.log.bytes_out.to_string(),
            format!("{:.0}", seen.log.p25_us),
            format!("{:.0}", seen.p25_us),
        ]);
    }
    println!("{table}");
}
