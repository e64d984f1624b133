//! A report in one file that needs nothing else: tables, plots, what they mean.

use std::fmt::Write as _;

use super::Title;
use super::columns::table;
use super::machine::Run;
use super::markdown::versions;
use super::plot::{Bar, Curve, bars, curves};
use super::record::Record;

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
         <p>Bars show medians, whiskers the distance between the quartiles. A question mark behind a \
         ratio: the spread is larger than the difference, no verdict.</p>\n",
        date = escape(&run.date),
        command = escape(&run.command),
        machine = escape(&run.machine),
        versions = escape(&versions(sections)),
    );
    let mut names: Vec<&str> = Vec::new();
    for (title, records, judged) in sections {
        for record in records {
            if !names.contains(&record.proxy.as_str()) {
                names.push(&record.proxy);
            }
        }
        let _ = write!(
            page,
            "<section>\n<h2>{}: {}</h2>\n<p>{}</p>\n",
            escape(title.name),
            escape(title.title),
            escape(title.about)
        );
        for line in judged {
            let _ = writeln!(page, "<p class=\"verdict\">{}</p>", escape(line));
        }
        let records: Vec<&Record> = records.iter().collect();
        for plot in PLOTS {
            page.push_str(&plot.draw(&records, &names));
        }
        page.push_str(&latency(&records, &names));
        page.push_str(&tabulate(&records));
        page.push_str("</section>\n");
    }
    page + "</html>\n"
}

impl Plot {
    fn draw(&self, records: &[&Record], names: &[&str]) -> String {
        let bar = |record: &&Record| {
            Some(Bar {
                label: match record.case.as_str() {
                    "" => record.proxy.clone(),
                    case => format!("{case} {}", record.proxy),
                },
                value: (self.value)(record)?,
                spread: record.spread.filter(|_| self.has_spread).unwrap_or(0.0),
                colour: colour(names, &record.proxy),
            })
        };
        let drawn: Vec<Bar> = records.iter().filter_map(bar).collect();
        match drawn.is_empty() {
            true => String::new(),
            false => figure(self.caption, &bars(self.caption, &drawn, self.shown)),
        }
    }
}

/// One plot for each case.
fn latency(records: &[&Record], names: &[&str]) -> String {
    let mut cases: Vec<&str> = Vec::new();
    for record in records {
        if !cases.contains(&record.case.as_str()) {
            cases.push(&record.case);
        }
    }
    let mut plots = String::new();
    for case in cases {
        let of_case = records.iter().filter(|record| record.case == case);
        let drawn: Vec<Curve<'_>> = of_case
            .filter(|record| record.latency_curve.len() > 1)
            .map(|record| Curve {
                label: &record.proxy,
                points: &record.latency_curve,
                colour: colour(names, &record.proxy),
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

fn figure(caption: &str, svg: &str) -> String {
    let caption = escape(caption);
    format!("<figure><figcaption>{caption}</figcaption>{svg}</figure>\n")
}

fn tabulate(records: &[&Record]) -> String {
    let mut html = "<div class=\"scroll\"><table>\n".to_owned();
    for (number, row) in table(records).rows().iter().enumerate() {
        let tag = if number == 0 { "th" } else { "td" };
        html.push_str("<tr>");
        for cell in row {
            let _ = write!(html, "<{tag}>{}</{tag}>", escape(cell));
        }
        html.push_str("</tr>\n");
    }
    html + "</table></div>\n"
}

/// The same for a proxy all over the page; there are colours for six.
fn colour(names: &[&str], proxy: &str) -> usize {
    names.iter().position(|name| *name == proxy).unwrap_or(0) % 6
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
        for outside in ["http://", "https://", "<script", "src=", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
