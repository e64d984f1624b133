//! The Prometheus text format, for what the exporter does not keep: histograms and scrape-time values.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::{Display, Write};

use super::histogram::{BOUNDS_US, Snapshot};

const MICROS_PER_SEC: f64 = 1e6;

/// Starts a metric; its samples follow.
pub(super) fn head(page: &mut String, name: &str, kind: &str, help: &str) {
    write(
        page,
        format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"),
    );
}

/// One sample.
pub(super) fn sample(page: &mut String, name: &str, labels: &[(&str, &str)], value: impl Display) {
    page.push_str(name);
    write_labels(page, labels);
    write(page, format_args!(" {value}\n"));
}

/// All samples of one labelled histogram.
pub(super) fn histogram(page: &mut String, name: &str, labels: &[(&str, &str)], at: &Snapshot) {
    let bounds = BOUNDS_US
        .iter()
        .map(|&bound| (bound as f64 / MICROS_PER_SEC).to_string())
        .chain(["+Inf".to_owned()]);
    for (bound, count) in bounds.zip(at.cumulative) {
        let with_bound = [labels, &[("le", &bound)]].concat();
        sample(page, &format!("{name}_bucket"), &with_bound, count);
    }
    let count = at.cumulative[BOUNDS_US.len()];
    let sum_secs = at.sum_us as f64 / MICROS_PER_SEC;
    sample(page, &format!("{name}_sum"), labels, sum_secs);
    sample(page, &format!("{name}_count"), labels, count);
}

/// The exporter's page in a stable order: metrics by name, samples by labels.
pub(super) fn sorted(page: &str) -> String {
    let mut metrics: Vec<&str> = page.split_terminator("\n\n").collect();
    metrics.sort_unstable();
    let mut sorted = String::with_capacity(page.len());
    for metric in metrics {
        let (comments, mut samples): (Vec<&str>, Vec<&str>) =
            metric.lines().partition(|line| line.starts_with('#'));
        samples.sort_unstable();
        for line in comments.into_iter().chain(samples) {
            sorted.push_str(line);
            sorted.push('\n');
        }
    }
    sorted
}

fn write_labels(page: &mut String, labels: &[(&str, &str)]) {
    for (position, (name, value)) in labels.iter().enumerate() {
        page.push(if position == 0 { '{' } else { ',' });
        write(page, format_args!("{name}=\""));
        for char in value.chars() {
            match char {
                '\\' => page.push_str("\\\\"),
                '"' => page.push_str("\\\""),
                '\n' => page.push_str("\\n"),
                _ => page.push(char),
            }
        }
        page.push('"');
    }
    if !labels.is_empty() {
        page.push('}');
    }
}

fn write(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes every text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        let mut page = String::new();
        sample(&mut page, "m", &[("a", "x\"y\\z\n"), ("b", "")], 1.5);
        assert_eq!(page, "m{a=\"x\\\"y\\\\z\\n\",b=\"\"} 1.5\n");
    }

    #[test]
    fn sorting_keeps_comments_above_their_samples() {
        let page =
            "# HELP b B\n# TYPE b counter\nb{x=\"2\"} 1\nb{x=\"1\"} 2\n\n# TYPE a gauge\na 1\n\n";
        let expected =
            "# HELP b B\n# TYPE b counter\nb{x=\"1\"} 2\nb{x=\"2\"} 1\n# TYPE a gauge\na 1\n";
        assert_eq!(sorted(page), expected);
    }
}
