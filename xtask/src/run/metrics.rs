//! The metrics page as the few numbers a person wants to see change.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use crate::run::event::Event;

/// How often the page is read, and how long it may take.
const PERIOD: Duration = Duration::from_secs(1);

/// More than the page ever is.
const PAGE_BYTES_MAX: u64 = 4 << 20;

/// The shield's verdicts on packets it lets through; all others drop.
const PASSED: &[&str] = &["passed", "allowed", "unguarded", "fragment", "unparsed"];

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Requests answered since start.
    pub(super) requests: f64,
    /// Event streams open now.
    pub(super) streams: f64,
    /// Packets the shield has dropped, whatever the reason.
    pub(super) dropped: f64,
    /// Bans since start, expired ones included.
    pub(super) bans: f64,
    /// Whether the shield runs.
    pub(super) shield: bool,
}

impl Sample {
    /// The numbers of a page in Prometheus' text format; what is not on it counts as zero.
    pub(super) fn of(page: &str) -> Self {
        let passed = |labels: &str| {
            PASSED
                .iter()
                .any(|verdict| labels.contains(&format!("verdict=\"{verdict}\"")))
        };
        Self {
            requests: sum(page, "edge_requests_total", |_| true),
            streams: sum(page, "edge_streams", |_| true),
            dropped: sum(page, "edge_shield_packets_total", |labels| !passed(labels)),
            bans: sum(page, "edge_bans_total", |_| true),
            shield: sum(page, "edge_shield_attached", |_| true) > 0.0,
        }
    }
}

/// The sum over the series of `metric` whose labels are `wanted`.
fn sum(page: &str, metric: &str, wanted: impl Fn(&str) -> bool) -> f64 {
    let values = page.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        (name == metric && wanted(labels))
            .then(|| value.parse::<f64>().ok())
            .flatten()
    });
    // Not `sum()`: that of nothing is minus zero.
    values.fold(0.0, |sum, value| sum + value)
}

/// Where the page is.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// Its address.
    pub(super) address: SocketAddr,
    /// The network namespace it is in, when it is not this one.
    pub(super) namespace: Option<PathBuf>,
}

impl Page {
    /// Reads the page once a second from now on.
    pub(super) fn watch(self, events: Sender<Event>) {
        thread::spawn(move || {
            // Only this thread moves to the other namespace. Where it cannot, the page does not
            // answer, and that is what the person sees.
            if let Some(file) = self.namespace.and_then(|path| File::open(path).ok()) {
                let _ = setns(file, CloneFlags::CLONE_NEWNET);
            }
            loop {
                let next = Instant::now() + PERIOD;
                let sample = fetch(self.address).ok().map(|page| Sample::of(&page));
                if events.send(Event::Sample(sample)).is_err() {
                    return;
                }
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
    }
}

/// One HTTP/1.0 exchange: the answer comes unchunked and ends with the connection.
fn fetch(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PERIOD)?;
    stream.set_read_timeout(Some(PERIOD))?;
    stream.set_write_timeout(Some(PERIOD))?;
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(PAGE_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_what_the_page_says() {
        let page = "HTTP/1.0 200 OK\r\n\r\n# TYPE edge_requests_total counter\n\
            edge_requests_total{host=\"a b\",status=\"2xx\"} 40\nedge_requests_total{host=\"b\"} 2\n\
            edge_shield_packets_total{verdict=\"passed\"} 1000\n\
            edge_shield_packets_total{verdict=\"banned\"} 7\n\
            edge_shield_attached{interface=\"lo\"} 1\n";
        let sample = Sample::of(page);
        let expected = Sample {
            requests: 42.0,
            streams: 0.0,
            dropped: 7.0,
            bans: 0.0,
            shield: true,
        };
        assert_eq!(sample, expected);
    }
}
