//! Plots as SVG, sized and coloured by the page that holds them.

mod bars;
mod curves;

pub(super) use bars::{Bar, Group, bars};
pub(super) use curves::{Curve, curves};

use super::html::escape;

const WIDTH: f64 = 480.0;

fn start(caption: &str, height: f64) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{}\">",
        escape(caption)
    )
}

/// The class of a proxy's colour and dashes: the same all over the page, and in every report.
pub(super) fn class(proxy: &str) -> &'static str {
    match proxy {
        "edge" => "c0",
        "nginx" | "xdp-filter" => "c1",
        "haproxy" | "nftables" => "c2",
        "caddy" | "iptables" => "c3",
        "traefik" => "c4",
        "envoy" => "c5",
        name if name.starts_with("edge-") => "c6",
        _ => "c7",
    }
}
