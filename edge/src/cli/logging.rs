//! The program's own log, on standard error: for people on a terminal, JSON otherwise.
//!
//! The access log is another stream and does not pass through here.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::failure::Failure;

/// Variables that hold a filter such as `info,edge::kernel=debug`; the first one set wins.
const FILTERS: [&str; 2] = ["EDGE_LOG", "RUST_LOG"];

/// What is shown unless a variable says otherwise. Warnings of `h2` are about what a peer does, which
/// must not fill the log.
const USUAL: &str = "info,h2=error";

/// Starts the log.
pub(super) fn start() -> Result<(), Failure> {
    let set = FILTERS
        .iter()
        .find_map(|name| Some((*name, std::env::var_os(name)?)));
    let filter = match set {
        None => EnvFilter::new(USUAL),
        Some((name, value)) => {
            let text = value.to_string_lossy();
            EnvFilter::try_new(&text).map_err(|error| {
                Failure::Configuration(format!(
                    "edge: {name}={text:?} is not a log filter ({error}); write \
                     \"info\" or \"info,edge::kernel=debug\""
                ))
            })?
        }
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match io::stderr().is_terminal() {
        true => log
            .with_target(false)
            .with_ansi(std::env::var_os("NO_COLOR").is_none())
            .init(),
        false => log.json().flatten_event(true).init(),
    }
    Ok(())
}
