//! A report in one file that needs nothing else: tables, plots, what they mean.

use std::fmt::Write as _;

use super::Title;
use super::columns::{RATIOS, table};
use super::machine::Run;
use super::markdown::versions;
use super::plot::{Bar, Curve, Group, bars, curves};
use super::record::Record;
use super::summary::summary;

/// A plot of one field.
struct Plot {
    caption: &'static str,
    value: fn(&Record) -> Option<f64>,
    shown: fn(f64) -> String,
    /// Whether the record's spread is in this field's unit.
    has_spread: bool,
}

const PLOTS: &[Plot] = &[
    Plot {
        caption: "CPU per request, µs",
        value: |r| r.cpu_us_per_request.filter(|_| r.cpu_s_per_gb.is_none()),
        shown: |value| format!("{value:.2} µs"),
        has_spread: true,
    },
    Plot {
        caption: "CPU per GB, s",
        value: |r| r.cpu_s_per_gb,
        shown: |value| format!("{value:.3} s"),
        has_spread: true,
    },
    Plot {
        caption: "Time a packet, ns",
        value: |r| r.ns_per_packet,
        shown: |value| format!("{value:.0} ns"),
        has_spread: true,
    },
    Plot {
        caption: "Start-up, ms",
        value: |r| r.startup_ms,
        shown: |value| format!("{value:.1} ms"),
        has_spread: true,
    },
    Plot {
        caption: "99th percentile of latency, ms",
        value: |r| {
            let us = r.p99_us.filter(|_| r.ratio_of == "p99_us")?;
            Some(us as f64 / 1e3)
        },
        shown: |value| format!("{value:.2} ms"),
        has_spread: false,
    },
    Plot {
        caption: "Memory per stream, KiB",
        value: |r| r.rss_bytes_per_stream.map(|bytes| bytes as f64 / 1024.0),
        shown: |value| format!("{value:.1} KiB"),
        has_spread: false,
    },
    Plot {
        caption: "Memory at rest, MiB",
        value: |r| r.rss_bytes_at_rest.map(|bytes| bytes as f64 / 1_048_576.0),
        shown: |value| format!("{value:.1} MiB"),
        has_spread: false,
    },
];

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub(crate) fn html(run: &Run, sections: &[(Title, Vec<Record>, Vec<String>)]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>edge bench {date}</title>\n<style>\n{STYLE}</style>\n\
         <h1>edge and its peers</h1>\n<dl><dt>Date<dd>{date}<dt>Command<dd><code>{command}</code>\
         <dt>Machine<dd>{machine}<dt>Versions<dd>{versions}</dl>\n\
         <p>All proxies are alive at once and take turns on one CPU, in short slices in random order. \
         Bars show medians, whiskers the distance between the quartiles. Latency counts from the \
         time at which a request was to be sent.</p>\n",
        date = escape(&run.date),
        command = escape(&run.command),
        machine = escape(&run.machine),
        versions = escape(&versions(sections)),
    );
    page.push_str(&summary(sections));
    for (title, records, judged) in sections {
        let _ = write!(
            page,
            "<section>\n<h2>{}<code>{}</code></h2>\n<p>{}</p>\n",
            escape(&capital(title.title)),
            escape(title.name),
            escape(title.about)
        );
        if !judged.is_empty() {
            page.push_str("<ul class=\"verdicts\">\n");
            for line in judged {
                let _ = writeln!(page, "<li>{}</li>", escape(line));
            }
            page.push_str("</ul>\n");
        }
        let records: Vec<&Record> = records.iter().collect();
        page.push_str("<div class=\"figures\">\n");
        for plot in PLOTS {
            page.push_str(&plot.draw(&records));
        }
        page.push_str(&latency(&records));
        page.push_str("</div>\n");
        page.push_str(&tabulate(&records));
        page.push_str("</section>\n");
    }
    page + "</html>\n"
}

impl Plot {
    fn draw(&self, records: &[&Record]) -> String {
        let groups = cases(records).into_iter().map(|case| {
            let of_case = records.iter().filter(|record| record.case == case);
            let bars = of_case.filter_map(|record| {
                Some(Bar {
                    proxy: &record.proxy,
                    value: (self.value)(record)?,
                    spread: record.spread.filter(|_| self.has_spread).unwrap_or(0.0),
                })
            });
            Group {
                name: case,
                bars: bars.collect(),
            }
        });
        let groups: Vec<Group<'_>> = groups.filter(|group| !group.bars.is_empty()).collect();
        match groups.is_empty() {
            true => String::new(),
            false => figure(self.caption, &bars(self.caption, &groups, self.shown)),
        }
    }
}

/// The parts of a workload, in their order.
fn cases<'a>(records: &[&'a Record]) -> Vec<&'a str> {
    let mut cases: Vec<&str> = Vec::new();
    for record in records {
        if !cases.contains(&record.case.as_str()) {
            cases.push(&record.case);
        }
    }
    cases
}

/// One plot for each case.
fn latency(records: &[&Record]) -> String {
    let mut plots = String::new();
    for case in cases(records) {
        let of_case = records.iter().filter(|record| record.case == case);
        let drawn: Vec<Curve<'_>> = of_case
            .filter(|record| record.latency_curve.len() > 1)
            .map(|record| Curve {
                proxy: &record.proxy,
                points: &record.latency_curve,
            })
            .collect();
        if drawn.is_empty() {
            continue;
        }
        let caption = match case {
            "" => "Latency".to_owned(),
            case => format!("Latency, {case}"),
        };
        plots.push_str(&figure(&caption, &curves(&caption, &drawn)));
    }
    plots
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn figure(caption: &str, svg: &str) -> String {
    let caption = escape(caption);
    format!("<figure><figcaption>{caption}</figcaption>{svg}</figure>\n")
}

fn tabulate(records: &[&Record]) -> String {
    let mut html = "<div class=\"scroll\"><table>\n".to_owned();
    let table = table(records);
    let header = &table.rows()[0];
    for (number, row) in table.rows().iter().enumerate() {
        let tag = if number == 0 { "th" } else { "td" };
        html.push_str("<tr>");
        for (cell, name) in row.iter().zip(header) {
            let class = match name.as_str() {
                // Six ratios in a cell help nobody; those of edge stand at the top of the page.
                RATIOS => continue,
                "case" | "proxy" => " class=\"text\"",
                _ => "",
            };
            let _ = write!(html, "<{tag}{class}>{}</{tag}>", escape(cell));
        }
        html.push_str("</tr>\n");
    }
    html + "</table></div>\n"
}

/// Text as it stands in HTML and SVG.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_plots_and_refers_to_nothing_outside() {
        let run = Run {
            date: "2026-11-22".into(),
            command: "cargo xtask bench <x>".into(),
            machine: "2 CPUs".into(),
        };
        let title = Title {
            name: "rate",
            title: "calls",
            about: "Calls.",
        };
        let record = |case: &str| Record {
            case: case.into(),
            proxy: "edge".into(),
            cpu_us_per_request: Some(12.0),
            spread: Some(1.0),
            latency_curve: vec![(0.0, 100), (1.0, 2000)],
            ..Record::default()
        };
        let records = vec![record("5000/s"), record("15000/s")];
        let page = html(&run, &[(title, records, vec!["met.".into()])]);
        assert_eq!(page.matches("<svg").count(), 3, "bars and two curves");
        assert!(page.contains("cargo xtask bench &lt;x&gt;"));
        assert!(page.contains("<h2>Calls<code>rate</code></h2>"));
        for outside in ["http://", "https://", "<script", "src=", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
