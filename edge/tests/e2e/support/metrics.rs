//! The metrics page as numbers.

use std::net::SocketAddr;

use super::client::Client;

/// One reading of the page.
pub(crate) struct Metrics {
    /// The page as it came.
    pub(crate) text: String,
}

impl Metrics {
    /// Reads the page.
    pub(crate) fn read(address: SocketAddr) -> Metrics {
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let response = Client::plain(address).exchange(request);
        assert_eq!(response.status, 200, "{}", response.text());
        Metrics {
            text: response.text(),
        }
    }

    /// The sum over all series of a metric whose labels contain every text in `labels`; 0 for none.
    pub(crate) fn sum(&self, metric: &str, labels: &[&str]) -> f64 {
        self.text
            .lines()
            .filter_map(|line| {
                let (series, value) = line.rsplit_once(' ')?;
                let (name, series_labels) = series.split_once('{').unwrap_or((series, ""));
                let wanted =
                    name == metric && labels.iter().all(|label| series_labels.contains(label));
                wanted.then(|| value.parse::<f64>().expect("values are numbers"))
            })
            .sum()
    }

    /// Whether the page says that nothing is attached: a missing series would silence an alert.
    pub(crate) fn shield_is_off(&self) -> bool {
        let mut series = self
            .text
            .lines()
            .filter(|line| line.starts_with("edge_shield_attached"));
        series.next().is_some_and(|line| line.ends_with(" 0"))
            && series.all(|line| line.ends_with(" 0"))
    }
}
