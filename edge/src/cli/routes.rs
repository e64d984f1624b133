//! `edge routes`.

use std::path::PathBuf;

use clap::Args;
use http::Method;

use super::failure::Failure;
use super::output;
use crate::config::{Config, DEFAULT_PATH};
use crate::proxy::{Explanation, Question, explain};

/// Say what a request would hit and why, without sending it
///
/// Lists the routes of the host in the order in which they are tried, what each says to the request,
/// and what the client would get. Nothing is started; the configuration is read as `edge check` does.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge routes https://mcp.example.com/mcp
  edge routes https://mcp.example.com/mcp --method POST --header 'X-Version: 2'
  edge routes http://mcp.example.com/ --config edge.toml --json

Routes are tried in this order: exact paths, regular expressions in the order of the file, then
prefixes from the longest. Of two with the same path, the one with more conditions comes first.")]
pub(super) struct Routes {
    /// What is asked for, such as https://mcp.example.com/mcp
    #[arg(value_name = "URL")]
    url: String,
    /// The method
    #[arg(long, default_value = "GET", value_parser = parse_method)]
    method: Method,
    /// A field of the request, `Name: value`; may be repeated
    #[arg(long, value_name = "FIELD")]
    header: Vec<String>,
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_method(text: &str) -> Result<Method, String> {
    Method::from_bytes(text.as_bytes()).map_err(|_| "write a method, such as POST".to_owned())
}

impl Routes {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config)
            .map_err(|errors| Failure::Configuration(errors.to_string()))?;
        let question = Question {
            method: self.method,
            url: self.url,
            fields: self.header,
        };
        let explanation = explain(&config, &question)
            .map_err(|error| Failure::Configuration(format!("edge: {error}")))?;
        output::result(&match self.json {
            true => serde_json::to_string(&explanation).expect("strings and numbers"),
            false => table(&explanation),
        });
        Ok(())
    }
}

fn table(explanation: &Explanation) -> String {
    let Explanation {
        method,
        host,
        host_names,
        target,
        routing_path,
        routes,
        outcome,
    } = explanation;
    let mut lines = vec![format!("request  {method} {target}")];
    let path = target.split('?').next().unwrap_or_default();
    if routing_path != path {
        lines.push(format!("path     compared as {routing_path}"));
    }
    lines.push(match host_names {
        Some(names) => format!("host     {host}, one of {}", names.join(" ")),
        None => format!("host     {host}, not in the configuration"),
    });
    let wide = |text: fn(&crate::proxy::Candidate) -> &str| {
        routes.iter().map(|one| text(one).len()).max().unwrap_or(0)
    };
    let (route_wide, action_wide) = (wide(|one| &one.route), wide(|one| &one.action));
    for (index, one) in routes.iter().enumerate() {
        let label = if index == 0 { "routes" } else { "" };
        let mark = if one.why == "chosen" { "->" } else { "  " };
        lines.push(format!(
            "{label:<6} {mark}{:<route_wide$}  {:<action_wide$}  {}",
            one.route, one.action, one.why
        ));
    }
    lines.push(format!("outcome  {outcome}"));
    lines.join("\n")
}
