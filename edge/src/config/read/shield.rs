//! `[shield]`: the kernel program.

use std::path::PathBuf;

use toml::Spanned;

use super::{Machine, lists, rate};
use crate::cidr::ListUse;
use crate::config::table::Table;
use crate::config::value::{check_interface, check_pin, quote};
use crate::config::{DEFAULT_PIN, Fragments, Shield, ShieldMode};

const MODES: [(&str, ShieldMode); 4] = [
    ("auto", ShieldMode::Auto),
    ("native", ShieldMode::Native),
    ("generic", ShieldMode::Generic),
    ("off", ShieldMode::Off),
];

const FRAGMENTS: [(&str, Fragments); 2] = [("pass", Fragments::Pass), ("drop", Fragments::Drop)];

pub(super) fn read(table: &Table<'_>, machine: Machine) -> Shield {
    let mode = table.item("mode").and_then(|item| item.choice(&MODES));
    let mode = mode.unwrap_or(ShieldMode::Auto);
    let required = table.flag("required").unwrap_or(false);
    if required && mode == ShieldMode::Off {
        let span = table
            .item("required")
            .map_or(table.span(), |item| item.span());
        let message = "`required`: the shield cannot be required and off at once; \
             remove `mode = \"off\"` or write `required = false`";
        table.report().error(span, message);
    }
    let fragments = table
        .item("fragments")
        .and_then(|item| item.choice(&FRAGMENTS));
    let allow = lists::read(table, "allow", "allow_files", ListUse::Allow);
    let only = table.flag("only").unwrap_or(false);
    if only && allow.as_ref().is_some_and(Vec::is_empty) {
        let span = table.item("only").map_or(table.span(), |item| item.span());
        let message = "`only`: the allow list is empty, so nobody could connect; \
             add `allow = [\"203.0.113.0/24\"]`";
        table.report().error(span, message);
    }
    Shield {
        mode,
        interfaces: interfaces(table, machine),
        packets: rate::read(table, "packets", "packets_burst", 50_000.0),
        connections: rate::read(table, "connections", "connections_burst", 200.0),
        initials: rate::read(table, "initials", "initials_burst", 200.0),
        new_connections: rate::read_or_off(table, "new_connections", "new_connections_burst"),
        ipv6_prefix: table.integer("ipv6_prefix", 64, 1..=128) as u8,
        fragments: fragments.unwrap_or(Fragments::Pass),
        allow: allow.unwrap_or_default(),
        deny: lists::read(table, "deny", "deny_files", ListUse::Deny).unwrap_or_default(),
        only,
        monitor: table.flag("monitor").unwrap_or(false),
        required,
        pin: pin(table),
    }
}

/// The directory in the BPF file system.
fn pin(table: &Table<'_>) -> Option<PathBuf> {
    let usual = || Some(PathBuf::from(DEFAULT_PIN));
    let Some(item) = table.item("pin") else {
        return usual();
    };
    let expected = "a directory such as \"/sys/fs/bpf/edge\", or \"off\"";
    let read = item.parse(expected, |text| match text {
        "off" => Ok(None),
        path => check_pin(path).map(Some),
    });
    read.unwrap_or_else(usual)
}

fn interfaces(table: &Table<'_>, machine: Machine) -> Vec<String> {
    let expected = "a list of interfaces such as [\"eth0\"]";
    let mut found: Vec<Spanned<String>> = Vec::new();
    let items = table
        .item("interfaces")
        .and_then(|item| item.list(expected));
    for item in items.unwrap_or_default() {
        let Some(name) = item.parse("an interface such as \"eth0\"", check_interface) else {
            continue;
        };
        if let Some(first) = found.iter().find(|first| *first.get_ref() == name) {
            let line = table.report().line(first.span().start);
            item.error(format!("{} is already on line {line}", quote(&name)));
            continue;
        }
        if !(machine.has_interface)(&name) {
            let message = format!(
                "this machine has no interface {}; `ip link` lists them",
                quote(&name)
            );
            table.report().warning(item.span(), message);
        }
        found.push(Spanned::new(item.span(), name));
    }
    found.into_iter().map(Spanned::into_inner).collect()
}
