//! Plots as SVG, sized and coloured by the page that holds them.

use std::fmt::Write as _;

use super::html::escape;

const WIDTH: f64 = 640.0;
const LABEL: f64 = 150.0;
const VALUE: f64 = 90.0;
const BAR: f64 = 22.0;
const GAP: f64 = 8.0;

/// A bar.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// Distance between the quartiles.
    pub(super) spread: f64,
    /// Which of the page's colours.
    pub(super) colour: usize,
}

/// Horizontal bars from zero, each with its spread as a whisker and its value beside it.
pub(super) fn bars(caption: &str, bars: &[Bar], shown: fn(f64) -> String) -> String {
    let reach = bars.iter().map(|bar| bar.value + bar.spread / 2.0);
    let max = reach.fold(f64::MIN_POSITIVE, f64::max);
    let room = WIDTH - LABEL - VALUE;
    let height = bars.len() as f64 * (BAR + GAP) + GAP;
    let mut svg = start(caption, height);
    for (row, bar) in bars.iter().enumerate() {
        let y = GAP + row as f64 * (BAR + GAP);
        let middle = y + BAR / 2.0;
        let length = bar.value / max * room;
        let end = LABEL + length;
        let half = bar.spread / 2.0 / max * room;
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"c{}\" x=\"{LABEL}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\"/>\
             <path class=\"whisker\" d=\"M{:.1} {middle:.1}H{:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LABEL - 8.0,
            middle + 5.0,
            escape(&bar.label),
            bar.colour,
            (end - half).max(LABEL),
            end + half,
            end + half + 6.0,
            middle + 5.0,
            escape(&shown(bar.value)),
        );
    }
    svg + "</svg>"
}

/// A curve of latencies: share of the requests, microseconds.
pub(super) struct Curve<'a> {
    pub(super) label: &'a str,
    pub(super) points: &'a [(f64, u64)],
    pub(super) colour: usize,
}

/// Shares that are written under the curves.
const SHARES: [(f64, &str); 5] = [
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
];

/// Latency over the share of requests that were faster; each further nine takes the same room, and
/// both axes are logarithmic.
pub(super) fn curves(caption: &str, curves: &[Curve<'_>]) -> String {
    const HEIGHT: f64 = 300.0;
    const LEFT: f64 = 70.0;
    const TOP: f64 = 16.0;
    const BOTTOM: f64 = 256.0;
    const RIGHT: f64 = 540.0;
    let points = || curves.iter().flat_map(|curve| curve.points);
    let of = |pick: fn(f64, f64) -> f64, from: f64| {
        points().map(|&(_, us)| us.max(1) as f64).fold(from, pick)
    };
    let low = of(f64::min, f64::INFINITY).log10().floor();
    let high = of(f64::max, 1.0).log10().ceil().max(low + 1.0);
    if !low.is_finite() {
        return String::new();
    }
    let x = |share: f64| {
        let nines = -(1.0 - share).max(1e-5).log10();
        LEFT + nines / 5.0 * (RIGHT - LEFT)
    };
    let y = |us: f64| BOTTOM - (us.max(1.0).log10() - low) / (high - low) * (BOTTOM - TOP);
    let mut svg = start(caption, HEIGHT);
    for power in low as i32..=high as i32 {
        let us = 10_f64.powi(power);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            y(us) + 5.0,
            duration(us),
            at = y(us),
        );
    }
    for (share, text) in SHARES {
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{BOTTOM}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            BOTTOM + 18.0,
            at = x(share),
        );
    }
    for (row, curve) in curves.iter().enumerate() {
        let mut path = String::new();
        for (number, &(share, us)) in curve.points.iter().enumerate() {
            let letter = if number == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", x(share), y(us as f64));
        }
        let at = TOP + 14.0 + row as f64 * 20.0;
        let _ = write!(
            svg,
            "<path class=\"line l{colour}\" d=\"{path}\"/>\
             <path class=\"line l{colour}\" d=\"M{:.1} {:.1}h18\"/><text x=\"{:.1}\" y=\"{at:.1}\">{}</text>",
            RIGHT + 8.0,
            at - 5.0,
            RIGHT + 30.0,
            escape(curve.label),
            colour = curve.colour,
        );
    }
    svg + "</svg>"
}

fn start(caption: &str, height: f64) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{}\">",
        escape(caption)
    )
}

/// Of microseconds.
fn duration(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{:.0} s", us / 1e6),
        us if us >= 1e3 => format!("{:.0} ms", us / 1e3),
        us => format!("{us:.0} µs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion() {
        let bar = |value| Bar {
            label: "a<b".to_owned(),
            value,
            spread: 0.0,
            colour: 1,
        };
        let svg = bars("x", &[bar(10.0), bar(5.0)], |value| format!("{value}"));
        let full = WIDTH - LABEL - VALUE;
        for part in [
            format!("width=\"{full:.1}\""),
            format!("width=\"{:.1}\"", full / 2.0),
            "a&lt;b".to_owned(),
        ] {
            assert!(svg.contains(&part), "no {part} in {svg}");
        }
    }

    #[test]
    fn a_curve_without_points_is_no_plot() {
        assert_eq!(curves("x", &[]), "");
        let curve = Curve {
            label: "edge",
            points: &[(0.0, 10), (0.99, 1000), (1.0, 50_000)],
            colour: 0,
        };
        let svg = curves("x", &[curve]);
        assert!(svg.contains("100 ms") && svg.contains("99.9 %"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
