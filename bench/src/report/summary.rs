//! All workloads on one page: edge's cost as a share of each peer's.

use std::fmt::Write as _;

use super::Title;
use super::html::escape;
use super::plot::class;
use super::record::Record;

/// A table with a row for each case, a column for each peer, and a colour where there is a verdict.
pub(super) fn summary(sections: &[(Title, Vec<Record>, Vec<String>)]) -> String {
    let own: Vec<&Record> = sections
        .iter()
        .flat_map(|(_, records, _)| records)
        .filter(|record| record.proxy == "edge" && record.ratio_to.len() > 1)
        .collect();
    let mut peers: Vec<&str> = Vec::new();
    for peer in own.iter().flat_map(|record| record.ratio_to.keys()) {
        if peer != "edge" && !peers.contains(&peer.as_str()) {
            peers.push(peer);
        }
    }
    if peers.is_empty() {
        return String::new();
    }
    // In the order of their colours, which is that of the plots.
    peers.sort_by_key(|peer| class(peer));
    let mut html =
        "<h2>In short</h2>\n<p>What edge costs as a share of what each peer costs; below 1 is \
                    less. Green: less. Orange: more. Grey: the spread is larger than the \
                    difference, no verdict.</p>\n<div class=\"scroll\">\
                    <table>\n<tr><th>workload</th><th class=\"text\">compared</th>"
            .to_owned();
    for peer in &peers {
        let _ = write!(html, "<th>{}</th>", escape(peer));
    }
    html.push_str("</tr>\n");
    for record in own {
        let _ = write!(
            html,
            "<tr><td>{} {}</td><td class=\"text\">{}</td>",
            escape(&record.workload),
            escape(&record.case),
            what(&record.ratio_of)
        );
        for &peer in &peers {
            html.push_str(&cell(record, peer));
        }
        html.push_str("</tr>\n");
    }
    html + "</table></div>\n"
}

fn cell(record: &Record, peer: &str) -> String {
    let Some(ratio) = record.ratio_to.get(peer) else {
        return "<td></td>".to_owned();
    };
    let verdict = record.verdict.get(peer).map(String::as_str);
    let class = verdict.filter(|word| ["less", "more"].contains(word));
    let class = class.unwrap_or("none");
    format!("<td class=\"{class}\">{ratio:.2}</td>")
}

/// What people call a field.
fn what(ratio_of: &str) -> &'static str {
    match ratio_of {
        "cpu_us_per_request" => "CPU per request",
        "cpu_s_per_gb" => "CPU per GB",
        "ns_per_packet" => "time a packet",
        "startup_ms" => "time to start",
        "p99_us" => "99th percentile",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_ratio_without_a_verdict_has_no_colour() {
        let title = Title {
            name: "rate",
            title: "calls",
            about: "Calls.",
        };
        let record = Record {
            workload: "rate".into(),
            case: "5000/s".into(),
            proxy: "edge".into(),
            ratio_of: "cpu_us_per_request".into(),
            ratio_to: BTreeMap::from([
                ("caddy".into(), 0.25),
                ("edge".into(), 1.0),
                ("nginx".into(), 0.9),
            ]),
            verdict: BTreeMap::from([
                ("caddy".into(), "less".into()),
                ("nginx".into(), "no verdict".into()),
            ]),
            ..Record::default()
        };
        let html = summary(&[(title, vec![record], Vec::new())]);
        for part in [
            "<th>nginx</th><th>caddy</th>",
            "<td>rate 5000/s</td><td class=\"text\">CPU per request</td>",
            "<td class=\"none\">0.90</td><td class=\"less\">0.25</td>",
        ] {
            assert!(html.contains(part), "no {part} in {html}");
        }
        assert_eq!(summary(&[]), "");
    }
}
