//! The top of the file: `workers`, `user`, and the order in which sections are read.

use super::host::Hosts;
use super::limits::Limits;
use super::tls::Places;
use super::upstream::Upstreams;
use super::{
    Machine, bounds, forwarding, limit, listen, log, output, quic, shield, syntax, timeouts, tls,
    trace,
};
use crate::config::Config;
use crate::config::report::Report;
use crate::config::schema::{
    ADMIN, BOUNDS, FORWARDING, LIMIT, LISTEN, LOG, METRICS, QUIC, SHIELD, TIMEOUTS, TLS, TOP,
};
use crate::config::table::Table;
use crate::config::value::{check_account, quote};

/// The account that every system has and that owns nothing.
const USER_DEFAULT: &str = "nobody";
/// A worker's number is one byte of the connection IDs it issues.
const WORKERS_MAX: u64 = 256;

/// Reads a whole file; `None` when its syntax is wrong. The configuration means something only if
/// the report holds no error.
pub(in crate::config) fn read(report: &Report<'_>, machine: Machine) -> Option<(Config, Places)> {
    let parsed = syntax::parse(report)?;
    let top = Table::top(parsed.get_ref(), TOP, report);

    let hosts = Hosts::read(&top);
    let listen_table = top.table("listen", LISTEN);
    let sockets = listen::read(&listen_table, hosts.have_certificates());
    let metrics = output::metrics(&top.table("metrics", METRICS));
    sockets.check_overlaps(metrics.as_ref(), &listen_table);

    let mut upstreams = Upstreams::read(&top, machine, &sockets);
    let limits = Limits::read(&top);
    let (hosts, mut places) = hosts.finish(&limits, &mut upstreams, &sockets);
    let (upstreams, named) = upstreams.finish();
    places.extend(named);

    let forwarding = forwarding::read(&top.table("forwarding", FORWARDING));
    sockets.check_trusted(&listen_table, &forwarding.trusted);
    let (limit, penalty) = limit::read(&top.table("limit", LIMIT));
    let shield = shield::read(&top.table("shield", SHIELD), machine);
    let bounds_table = top.table("bounds", BOUNDS);
    let let_in = [&forwarding.trusted[..], &shield.allow[..]];
    let per_address = bounds::per_address(&bounds_table, &let_in);
    let cpus = (machine.cpus)() as u64;
    let config = Config {
        workers: top.integer("workers", cpus.clamp(1, WORKERS_MAX), 1..=WORKERS_MAX) as usize,
        user: user(&top, machine),
        listen: sockets.into_listen(),
        forwarding,
        hosts,
        upstreams,
        timeouts: timeouts::read(&top.table("timeouts", TIMEOUTS)),
        tls: tls::read(&top.table("tls", TLS)),
        quic: quic::read(&top.table("quic", QUIC)),
        bounds: bounds::read(&bounds_table),
        per_address,
        limit,
        penalty,
        shield,
        log: log::read(&top.table("log", LOG)),
        trace: trace::read(&top),
        metrics: metrics.map(toml::Spanned::into_inner),
        admin: output::admin(&top.table("admin", ADMIN)),
        included: report.included(),
    };
    Some((config, places))
}

fn user(top: &Table<'_>, machine: Machine) -> Option<String> {
    let Some(item) = top.item("user") else {
        return Some(USER_DEFAULT.to_owned());
    };
    let name = item.parse("the name of an account", check_account)?;
    if !(machine.has_account)(&name) {
        let message = format!(
            "this machine has no account {}; `useradd --system {}` makes one",
            quote(&name),
            name
        );
        item.report().warning(item.span(), message);
    }
    Some(name)
}
