//! The page as a whole, and what `deploy/` makes of it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use edge_common::{Family, Verdict};

use super::{
    BanOrigin, Handshake, Metrics, RequestSample, Scrape, ShieldLink, ShieldVerdict, TlsVersion,
    UpstreamFault,
};
use crate::config::{Config, UpstreamId};
use crate::observe::{Protocol, testing};

fn sample(route: Option<usize>, status: u16) -> RequestSample {
    RequestSample {
        route,
        upstream: route.map(|_| UpstreamId(0)),
        status,
        protocol: Protocol::H2,
        duration_us: 1_500,
        head_us: route.map(|_| 1_200),
        bytes_in: 200,
        bytes_out: 1024,
    }
}

/// A page on which every metric has a value.
fn page() -> String {
    let metrics = Metrics::new(&testing::config());
    let workers = [metrics.worker(), metrics.worker()].map(|worker| {
        let series = worker.series(&testing::config());
        (worker, series)
    });
    for (worker, series) in &workers {
        worker.connection_opened(Protocol::H2);
        worker.handshake(Handshake::Done(TlsVersion::Tls13));
        worker.request(series, &sample(Some(1), 200));
        worker.request(series, &sample(Some(1), 200));
        series.upstream_connections(UpstreamId(0), 1);
        worker.flush();
    }
    let [(worker, series), _] = &workers;
    worker.connection_opened(Protocol::Http10);
    worker.connection_closed(Protocol::Http11);
    worker.connection_closed(Protocol::H2);
    worker.handshake(Handshake::TimedOut);
    worker.request(series, &sample(None, 404));
    worker.request(series, &sample(Some(0), 499));
    worker.request(series, &sample(Some(0), 999));
    worker.limited();
    worker.stream_opened();
    worker.keep_alive_sent();
    series.upstream_connections(UpstreamId(0), 0);
    series.upstream_error(UpstreamId(0), UpstreamFault::ResponseTimeout);
    metrics.banned(BanOrigin::Limit);
    let not_after = UNIX_EPOCH + Duration::from_secs(1_900_000_000);
    metrics.certificates(vec![("mcp.example.com".into(), not_after)]);
    metrics.ocsp_fetched(true);
    metrics.ocsp_fetched(false);
    metrics.ocsp_answers(vec![("mcp.example.com".into(), not_after)]);
    drop(workers);
    metrics.render(&Scrape {
        access_log_dropped: 12,
        ban_requests_dropped: 3,
        shield: vec![ShieldLink {
            interface: "eth0".into(),
            mode: "native",
            attached: true,
        }],
        watched: vec![ShieldVerdict {
            verdict: Verdict::Banned,
            family: Family::V4,
            packets: 5,
        }],
        samples_lost: Some(2),
        bans: Some(7),
        verdicts: vec![
            ShieldVerdict {
                verdict: Verdict::Passed,
                family: Family::V4,
                packets: 100,
            },
            ShieldVerdict {
                verdict: Verdict::Banned,
                family: Family::V6,
                packets: 7,
            },
        ],
    })
}

/// Runs `promtool` with a text on its standard input; what it complains about is the error.
///
/// `None` where it is not installed.
fn promtool(arguments: &[&str], stdin: &str) -> Option<Result<(), String>> {
    let spawned = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match spawned {
        Ok(promtool) => promtool,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: promtool is not installed (Debian: apt-get install prometheus)");
            return None;
        }
        Err(error) => panic!("promtool: {error}"),
    };
    let mut pipe = promtool.stdin.take().expect("piped");
    pipe.write_all(stdin.as_bytes()).expect("promtool reads");
    drop(pipe);
    let output = promtool.wait_with_output().expect("promtool ends");
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(if output.status.success() && complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints + &String::from_utf8_lossy(&output.stdout))
    })
}

fn deploy(path: &str) -> PathBuf {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    deploy.join(path)
}

fn deployed(path: &str) -> String {
    fs::read_to_string(deploy(path)).expect(path)
}

/// Every PromQL expression of the dashboard, with its variables filled in.
fn dashboard_queries() -> Vec<String> {
    fn collect(value: &serde_json::Value, queries: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                if let Some(query) = fields.get("expr") {
                    let query = query.as_str().expect("a query is text");
                    let query = query.replace("$__rate_interval", "5m");
                    queries.push(query.replace("$instance", ".*"));
                }
                fields.values().for_each(|value| collect(value, queries));
            }
            serde_json::Value::Array(values) => {
                values.iter().for_each(|value| collect(value, queries));
            }
            _ => {}
        }
    }
    let dashboard = serde_json::from_str(&deployed("grafana/edge.json")).expect("valid JSON");
    let mut queries = Vec::new();
    collect(&dashboard, &mut queries);
    queries
}

/// Words that can only be names of our metrics.
fn metric_names(text: &str) -> BTreeSet<&str> {
    text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_')
        .filter(|word| word.starts_with("edge_") || word.starts_with("process_"))
        .collect()
}

#[test]
fn the_page_shows_everything_in_a_stable_order() {
    let page = page();
    let (ours, process) = page.split_once("# HELP process_").expect("process metrics");
    assert!(
        !process.contains("edge_"),
        "what differs between runs comes last"
    );
    insta::assert_snapshot!(ours);
}

#[test]
fn counters_outlive_the_configuration_that_named_them() {
    let first = testing::config();
    let metrics = Metrics::new(&first);
    let worker = metrics.worker();
    let series = worker.series(&first);
    worker.request(&series, &sample(Some(1), 200));
    series.upstream_connections(UpstreamId(0), 3);

    let mut second = testing::config();
    second.hosts[0].routes.truncate(1);
    second.upstreams[0].name = "renamed".into();
    let renewed = worker.series(&second);
    // Route 0 is one and the same in both.
    worker.request(&series, &sample(Some(0), 404));
    worker.request(&renewed, &sample(Some(0), 404));
    drop(series);
    worker.flush();
    worker.flush();

    let page = metrics.render(&Scrape::default());
    let value = |series: &str| {
        let line = page.lines().find(|line| line.starts_with(series));
        line.unwrap_or_else(|| panic!("no {series} in:\n{page}"))
            .rsplit_once(' ')
            .map(|(_, value)| value.to_owned())
    };
    let requests = |route: &str, upstream: &str, class: &str| {
        value(&format!(
            "edge_requests_total{{host=\"mcp.example.com\",route=\"{route}\",upstream=\"{upstream}\",\
             status_class=\"{class}\",protocol=\"h2\"}}"
        ))
    };
    assert_eq!(requests("/mcp", "tools", "2xx").as_deref(), Some("1"));
    assert_eq!(requests("/", "web", "4xx").as_deref(), Some("2"));
    let open = |name| value(&format!("edge_upstream_connections{{upstream=\"{name}\"}}"));
    assert_eq!(open("tools").as_deref(), Some("0"));
    assert_eq!(open("renamed").as_deref(), Some("0"));
}

#[test]
fn nothing_is_shared_before_the_tick() {
    let metrics = Metrics::new(&testing::config());
    let worker = metrics.worker();
    worker.limited();
    let limited = |metrics: &Metrics| {
        let page = metrics.render(&Scrape::default());
        page.contains("\nedge_limited_total 1\n")
    };
    assert!(!limited(&metrics));
    worker.flush();
    assert!(limited(&metrics));
}

#[test]
fn promtool_accepts_the_page() {
    if let Some(verdict) = promtool(&["check", "metrics"], &page()) {
        assert_eq!(verdict, Ok(()));
    }
}

#[test]
fn what_deploy_asks_for_is_on_the_page() {
    let page = page();
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let on_page: BTreeSet<&str> = samples
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let dashboard = dashboard_queries().join("\n");
    assert!(metric_names(&dashboard).len() > 15, "{dashboard}");
    let rules = deployed("prometheus/edge.rules.yml");
    let rules_test = deployed("prometheus/edge.rules.test.yml");
    for text in [&dashboard, &rules, &rules_test] {
        let missing: Vec<_> = metric_names(text).difference(&on_page).copied().collect();
        assert!(missing.is_empty(), "not on the page: {missing:?}");
    }
}

#[test]
fn the_alerts_fire_when_they_should() {
    let path = deploy("prometheus/edge.rules.test.yml");
    let path = path.to_str().expect("a path that is text");
    if let Some(verdict) = promtool(&["test", "rules", path], "") {
        assert_eq!(verdict, Ok(()));
    }
}

#[test]
fn the_dashboard_asks_what_prometheus_understands() {
    // promtool checks no single expression, but it checks rules.
    let queries = dashboard_queries().into_iter().enumerate();
    let rules: Vec<_> = queries
        .map(|(number, query)| {
            serde_json::json!({ "record": format!("dashboard:{number}"), "expr": query })
        })
        .collect();
    let group = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(group.to_string().as_bytes())
        .expect("it writes");
    let path = file.path().to_str().expect("a path that is text");
    if let Some(verdict) = promtool(&["check", "rules", path], "") {
        assert_eq!(verdict, Ok(()));
    }
}

#[test]
fn the_example_configuration_is_valid() {
    let path = deploy("edge.toml");
    let config = Config::parse(&deployed("edge.toml"), &path).expect("it is valid");
    assert_eq!(config.listen.https.len(), 1);
    assert!(config.limit.is_some() && config.penalty.is_some());
}
