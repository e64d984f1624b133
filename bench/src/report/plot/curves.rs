//! Latencies over the share of requests that were faster.

use std::fmt::Write as _;

use super::{class, start};
use crate::report::html::escape;

const HEIGHT: f64 = 300.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 376.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 248.0;
/// Rows of the legend.
const ROW: f64 = 20.0;
/// Shares that are written under the curves.
const SHARES: [(f64, &str); 5] = [
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.5, "50 %"),
];
/// The slowest of all is drawn here.
const NINES_MAX: f64 = 5.0;

/// A curve: share of the requests, microseconds.
pub(in crate::report) struct Curve<'a> {
    pub(in crate::report) proxy: &'a str,
    pub(in crate::report) points: &'a [(f64, u64)],
}

/// Latencies: each further nine takes the same room, and both axes are logarithmic.
pub(in crate::report) fn curves(caption: &str, curves: &[Curve<'_>]) -> String {
    let all = || {
        let points = curves.iter().flat_map(|curve| curve.points);
        points.map(|&(_, us)| us.max(1) as f64)
    };
    let low = below(all().fold(f64::INFINITY, f64::min));
    let high = above(all().fold(1.0, f64::max)).max(low * 10.0);
    if !low.is_finite() {
        return String::new();
    }
    let scale = (BOTTOM - TOP) / (high / low).log10();
    let y = |us: f64| BOTTOM - (us.max(low) / low).log10() * scale;
    let mut svg = start(caption, HEIGHT);
    latencies(&mut svg, low, high, y);
    shares(&mut svg);
    for (row, curve) in curves.iter().enumerate() {
        let mut path = String::new();
        for (number, &(share, us)) in curve.points.iter().enumerate() {
            let letter = if number == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", x(share), y(us as f64));
        }
        let at = TOP + 10.0 + row as f64 * ROW;
        let class = class(curve.proxy);
        let _ = write!(
            svg,
            "<path class=\"line {class}\" d=\"{path}\"/>\
             <path class=\"line {class}\" d=\"M{:.1} {at:.1}h22\"/>\
             <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            RIGHT + 12.0,
            RIGHT + 40.0,
            at + 4.5,
            escape(curve.proxy),
        );
    }
    svg + "</svg>"
}

fn x(share: f64) -> f64 {
    let nines = -(1.0 - share).max(10_f64.powf(-NINES_MAX)).log10();
    LEFT + nines / NINES_MAX * (RIGHT - LEFT)
}

/// Lines at 1, 2 and 5 times each power of ten; all of them named where there is room.
fn latencies(svg: &mut String, low: f64, high: f64, y: impl Fn(f64) -> f64) {
    let is_wide = high / low > 1000.0;
    let mut us = low;
    while us <= high * 1.001 {
        let is_power = (us.log10() - us.log10().round()).abs() < 1e-6;
        let grid = if is_power { "grid" } else { "grid minor" };
        let at = y(us);
        let _ = write!(
            svg,
            "<path class=\"{grid}\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>"
        );
        if is_power || !is_wide {
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 7.0,
                at + 4.5,
                duration(us),
            );
        }
        us = after(us);
    }
}

fn shares(svg: &mut String) {
    for (share, text) in SHARES {
        let at = x(share);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{BOTTOM}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            BOTTOM + 17.0,
        );
    }
    let _ = write!(
        svg,
        "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">max</text>\
         <text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">share of requests that \
         were faster</text>",
        RIGHT,
        BOTTOM + 17.0,
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 38.0,
    );
}

/// The largest of 1, 2 and 5 times a power of ten that is not above.
fn below(us: f64) -> f64 {
    let power = 10_f64.powf(us.log10().floor());
    let factors = [1.0, 2.0, 5.0].into_iter();
    let factors = factors.filter(|factor| factor * power <= us * 1.001);
    factors.fold(1.0, f64::max) * power
}

/// The smallest that is not below.
fn above(us: f64) -> f64 {
    let at = below(us);
    if at >= us * 0.999 { at } else { after(at) }
}

/// The next one.
fn after(us: f64) -> f64 {
    let power = 10_f64.powf((us * 1.001).log10().floor());
    match (us / power).round() as u32 {
        1 => 2.0 * power,
        2 => 5.0 * power,
        _ => 10.0 * power,
    }
}

/// Of microseconds.
fn duration(us: f64) -> String {
    match us {
        us if us >= 0.999e6 => format!("{:.0} s", us / 1e6),
        us if us >= 0.999e3 => format!("{:.0} ms", us / 1e3),
        us => format!("{us:.0} µs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_without_points_is_no_plot() {
        assert_eq!(curves("x", &[]), "");
        let curve = Curve {
            proxy: "edge",
            points: &[(0.0, 10), (0.99, 1000), (1.0, 50_000)],
        };
        let svg = curves("x", &[curve]);
        for part in ["10 ms", "99.9 %", "class=\"line c0\"", ">edge<"] {
            assert!(svg.contains(part), "no {part} in {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn lines_are_at_one_two_and_five() {
        assert_eq!([below(37.0), below(20.0), below(99.0)], [20.0, 20.0, 50.0]);
        assert_eq!([above(37.0), above(50.0), above(51.0)], [50.0, 50.0, 100.0]);
        assert_eq!([after(10.0), after(20.0), after(50.0)], [20.0, 50.0, 100.0]);
    }
}
