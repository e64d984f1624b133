//! The generator itself against those that people use, on the same target: they have to see the same
//! number of calls a second, and the cheaper one leaves more of the CPU to what it loads.
//!
//! The target is nginx on the proxies' CPU, in front of an origin that is a program of its own; that
//! and the generators take turns on the other CPU. No other generator compares answers.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::time::ClockId;

use super::rounds::in_turn;
use super::stage::{Load, Stage};
use crate::clock::read_ns;
use crate::load::{Driver, Language, Pace, client_config};
use crate::measure::{Quartiles, watch_interrupt};
use crate::origin::answer_body;
use crate::peers::{Peer, Proxy};
use crate::report::Table;

/// What this generator is called among the others.
const OWN: &str = "this one";
/// As h2load takes a field.
const JSON: &str = "content-type:application/json";
/// Within this share of the best of the others the calls per second are the same.
const SAME: f64 = 0.10;

/// One that makes calls: name, calls a second, microseconds of its CPU a call.
struct Seen {
    name: &'static str,
    protocol: &'static str,
    per_s: Vec<f64>,
    cpu_us: Vec<f64>,
}

impl Seen {
    /// Of calls a second, and of CPU.
    fn quartiles(&self) -> Result<(Quartiles, Quartiles)> {
        let per_s = Quartiles::of(self.per_s.clone()).context("no slices")?;
        Ok((
            per_s,
            Quartiles::of(self.cpu_us.clone()).context("no slices")?,
        ))
    }
}

/// The origin as a program of its own.
pub(super) struct Origin {
    child: Child,
    address: SocketAddr,
}

impl Origin {
    pub(super) fn start() -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("bench-origin");
        let mut child = Command::new(&program)
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it is piped")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://");
        let address = address
            .context("the origin says where it listens")?
            .parse()?;
        Ok(Self { child, address })
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Load for Origin {
    fn origin(&mut self) -> Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Measures and prints.
pub(super) fn check(slices: u32, seconds: u32) -> Result<()> {
    watch_interrupt()?;
    crate::measure::Cpus::claim(1)?;
    let stage = Stage::set(&[Peer::from(Proxy::Nginx)], Origin::start()?)?;
    let target = stage.running[0].address;
    let authority = &stage.identity.authority;
    let mut driver = Driver::new()?;
    driver.sleep();
    let languages = [
        (Language::Http1, "HTTP/1.1", 64),
        (Language::Http2 { streams: 10 }, "HTTP/2", 8),
    ];
    let mut endpoints = Vec::new();
    for (language, _, connections) in languages {
        let tls = client_config(authority.clone(), language.alpn())?;
        let endpoint = driver.endpoint(target, &Arc::new(tls));
        driver.speak(endpoint, language);
        driver.connect(endpoint, connections)?;
        endpoints.push(endpoint);
    }
    let dir = tempfile::TempDir::with_prefix("edge-bench-generator-")?;
    let tools = tools(dir.path(), target, seconds)?;

    let duration = Duration::from_secs(u64::from(seconds));
    let own = languages.iter().map(|(_, protocol, _)| seen(OWN, protocol));
    let others = tools.iter().map(|tool| seen(tool.name, tool.protocol));
    let mut all: Vec<Seen> = own.chain(others).collect();
    in_turn("generator", slices, all.len(), |number| {
        let (calls, per_s, cpu_ns) = match endpoints.get(number) {
            Some(&endpoint) => {
                let before = read_ns(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
                let slice = driver.run(endpoint, Pace::Closed, duration)?;
                ensure!(slice.errors == 0, "{:?}", slice.first_error);
                let cpu_ns = read_ns(ClockId::CLOCK_THREAD_CPUTIME_ID)? - before;
                let per_s = slice.requests as f64 * 1e9 / slice.wall_ns as f64;
                (slice.requests as f64, per_s, cpu_ns as f64)
            }
            None => tools[number - endpoints.len()].run(f64::from(seconds))?,
        };
        all[number].per_s.push(per_s);
        all[number].cpu_us.push(cpu_ns / 1e3 / calls.max(1.0));
        Ok(())
    })?;
    print(&all)
}

fn seen(name: &'static str, protocol: &'static str) -> Seen {
    Seen {
        name,
        protocol,
        per_s: Vec::new(),
        cpu_us: Vec::new(),
    }
}

/// Another generator.
struct Tool {
    name: &'static str,
    protocol: &'static str,
    arguments: Vec<String>,
    /// What stands before, or after, its number of calls a second.
    marks: [&'static str; 2],
}

impl Tool {
    /// Calls, calls a second, nanoseconds of CPU.
    fn run(&self, seconds: f64) -> Result<(f64, f64, f64)> {
        let before = children_ns()?;
        let output = Command::new(self.name)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {}", self.name))?;
        let cpu_ns = children_ns()? - before;
        let text = String::from_utf8_lossy(&output.stdout);
        let per_s = per_s(&text, self.marks);
        let per_s = per_s.with_context(|| format!("{} said: {text}", self.name))?;
        Ok((per_s * seconds, per_s, cpu_ns))
    }
}

/// The number between two marks.
fn per_s(text: &str, [before, after]: [&str; 2]) -> Option<f64> {
    let rest = &text[text.find(before)? + before.len()..];
    let rest = &rest[..rest.find(after)?];
    rest.split_whitespace().next()?.parse().ok()
}

/// CPU time of processes that have been waited for.
fn children_ns() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = usage.user_time() + usage.system_time();
    Ok(time.num_microseconds() as f64 * 1e3)
}

/// Those that are installed.
fn tools(dir: &Path, target: SocketAddr, seconds: u32) -> Result<Vec<Tool>> {
    // Any call will do; of this size, and with an id where the origin looks for it.
    let body: Vec<u8> = answer_body()[..200].to_vec();
    let file = dir.join("body");
    fs::write(&file, &body)?;
    let script = dir.join("post.lua");
    let text = String::from_utf8(body)?;
    fs::write(
        &script,
        format!(
            "wrk.method = \"POST\"\nwrk.body = [==[{text}]==]\n\
             wrk.headers[\"Content-Type\"] = \"application/json\"\n"
        ),
    )?;
    let (file, script) = (file.display().to_string(), script.display().to_string());
    let url = format!("https://localhost:{}/mcp", target.port());
    let h2load = ["s, ", " req/s"];
    let all = [
        (
            "wrk",
            "HTTP/1.1",
            format!("-t1 -c64 -d{seconds}s -s {script} {url}"),
            ["Requests/sec:", "\n"],
        ),
        (
            "h2load",
            "HTTP/1.1",
            format!("--h1 -t1 -c64 -D{seconds} -d {file} -H {JSON} {url}"),
            h2load,
        ),
        (
            "ab",
            "HTTP/1.1",
            format!("-q -k -c64 -t{seconds} -n100000000 -p {file} -T application/json {url}"),
            ["Requests per second:", "[#/sec]"],
        ),
        (
            "h2load",
            "HTTP/2",
            format!("-t1 -c8 -m10 -D{seconds} -d {file} -H {JSON} {url}"),
            h2load,
        ),
    ];
    let tools = all.into_iter().map(|(name, protocol, line, marks)| Tool {
        name,
        protocol,
        arguments: line.split(' ').map(str::to_owned).collect(),
        marks,
    });
    let there = |tool: &Tool| {
        let found = ["/usr/bin", "/usr/local/bin"]
            .iter()
            .any(|directory| Path::new(directory).join(tool.name).is_file());
        if !found {
            eprintln!("skipped {}: not installed", tool.name);
        }
        found
    };
    Ok(tools.filter(there).collect())
}

/// Prints what was seen.
///
/// # Errors
/// When this generator has not made as many calls as the best of the others.
fn print(all: &[Seen]) -> Result<()> {
    let header = ["generator", "protocol", "calls/s", "spread", "CPU µs/call"];
    let mut table = Table::new(header.map(str::to_owned).to_vec());
    for seen in all {
        let (per_s, cpu_us) = seen.quartiles()?;
        table.row(vec![
            seen.name.to_owned(),
            seen.protocol.to_owned(),
            format!("{:.0}", per_s.median),
            format!("{:.0}", per_s.spread()),
            format!("{:.2}", cpu_us.median),
        ]);
    }
    let (lines, failed) = verdicts(all)?;
    println!("{table}\n{}", lines.join("\n"));
    ensure!(
        failed.is_empty(),
        "this generator does not see over {} what the best of the others sees",
        failed.join(" and ")
    );
    Ok(())
}

/// How this generator compares with each of the others, and the protocols over which the best of
/// them has not made the same number of calls.
fn verdicts(all: &[Seen]) -> Result<(Vec<String>, Vec<&'static str>)> {
    let (mut lines, mut failed) = (Vec::new(), Vec::new());
    for own in all.iter().filter(|seen| seen.name == OWN) {
        let (own_per_s, own_cpu_us) = own.quartiles()?;
        let mut best: f64 = 0.0;
        for seen in all.iter().filter(|seen| seen.protocol == own.protocol) {
            if seen.name == OWN {
                continue;
            }
            let (per_s, cpu_us) = seen.quartiles()?;
            best = best.max(per_s.median);
            lines.push(format!(
                "{}, {}: {:+.1} % calls a second; {:.2} of its CPU a call",
                seen.name,
                seen.protocol,
                (own_per_s.median / per_s.median - 1.0) * 100.0,
                own_cpu_us.median / cpu_us.median
            ));
        }
        if best == 0.0 {
            continue;
        }
        let same = (own_per_s.median / best - 1.0).abs() <= SAME;
        lines.push(format!(
            "{} calls a second over {} as the best of the others",
            if same { "As many" } else { "NOT as many" },
            own.protocol
        ));
        if !same {
            failed.push(own.protocol);
        }
    }
    Ok((lines, failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_understood() {
        let wrk = "  192 requests in 1.00s\nRequests/sec:  38123.45\nTransfer/sec: 1MB\n";
        assert_eq!(per_s(wrk, ["Requests/sec:", "\n"]), Some(38123.45));
        let h2load = "finished in 3.00s, 12345.67 req/s, 14MB/s\n";
        assert_eq!(per_s(h2load, ["s, ", " req/s"]), Some(12345.67));
        let ab = "Requests per second:    9876.54 [#/sec] (mean)\n";
        assert_eq!(
            per_s(ab, ["Requests per second:", "[#/sec]"]),
            Some(9876.54)
        );
        assert_eq!(per_s("nothing", ["a", "b"]), None);
    }

    #[test]
    fn only_the_best_of_the_others_is_a_verdict() {
        let seen = |name, protocol, per_s| Seen {
            name,
            protocol,
            per_s: vec![per_s],
            cpu_us: vec![2.0],
        };
        let judged = |own| {
            let all = [
                seen(OWN, "HTTP/1.1", own),
                seen(OWN, "HTTP/2", 900.0),
                seen("ab", "HTTP/1.1", 500.0),
                seen("wrk", "HTTP/1.1", 1000.0),
            ];
            verdicts(&all).expect("slices")
        };
        // A slow one among the others is none of its concern, nor is what nobody else speaks.
        let (lines, failed) = judged(950.0);
        assert!(failed.is_empty() && lines.len() == 3, "{lines:?}");
        for bad in [890.0, 1110.0] {
            let (lines, failed) = judged(bad);
            assert_eq!(failed, ["HTTP/1.1"]);
            assert!(
                lines.iter().any(|line| line.starts_with("NOT")),
                "{lines:?}"
            );
        }
    }
}
