//! What edge counts of its own system calls for QUIC.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::proxy::Proxy;
use super::running::Running;

/// For the page of counters.
const PATIENCE: Duration = Duration::from_secs(5);

/// Datagrams and system calls, sent and received.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct QuicCounters {
    sent: [f64; 2],
    received: [f64; 2],
}

impl QuicCounters {
    /// Datagrams that one system call sent since.
    pub(crate) fn per_send(&self, after: &Self) -> Option<f64> {
        divide(self.sent, after.sent)
    }

    /// Datagrams that one system call received since.
    pub(crate) fn per_receive(&self, after: &Self) -> Option<f64> {
        divide(self.received, after.received)
    }
}

fn divide(before: [f64; 2], after: [f64; 2]) -> Option<f64> {
    let calls = after[1] - before[1];
    (calls > 0.0).then(|| (after[0] - before[0]) / calls)
}

/// edge's counters as they are now; other proxies have none.
pub(crate) fn quic_counters(running: &Running) -> Option<QuicCounters> {
    if running.proxy != Proxy::Edge {
        return None;
    }
    let mut socket = TcpStream::connect(running.metrics).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).ok()?;
    let mut page = String::new();
    socket.read_to_string(&mut page).ok()?;
    parse(&page)
}

fn parse(page: &str) -> Option<QuicCounters> {
    let value = |name: &str, direction: &str| {
        let start = format!("{name}{{direction=\"{direction}\"}} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&start));
        line?.trim().parse::<f64>().ok()
    };
    let both = |direction: &str| {
        Some([
            value("edge_quic_datagrams_total", direction)?,
            value("edge_quic_system_calls_total", direction)?,
        ])
    };
    Some(QuicCounters {
        sent: both("out")?,
        received: both("in")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(datagrams: u32, calls: u32) -> String {
        format!(
            "# TYPE edge_quic_datagrams_total counter\n\
             edge_quic_datagrams_total{{direction=\"out\"}} {datagrams}\n\
             edge_quic_datagrams_total{{direction=\"in\"}} 5\n\
             edge_quic_system_calls_total{{direction=\"out\"}} {calls}\n\
             edge_quic_system_calls_total{{direction=\"in\"}} 5\n"
        )
    }

    #[test]
    fn datagrams_are_counted_per_call_of_a_stretch() {
        let before = parse(&page(100, 50)).expect("a page");
        let after = parse(&page(500, 60)).expect("a page");
        assert_eq!(before.per_send(&after), Some(40.0));
        assert_eq!(before.per_receive(&after), None);
        assert_eq!(parse("nothing"), None);
    }
}
