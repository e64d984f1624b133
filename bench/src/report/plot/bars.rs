//! Horizontal bars from zero.

use std::fmt::Write as _;

use super::{WIDTH, class, start};
use crate::report::html::escape;

const LABEL: f64 = 74.0;
/// For the value behind the longest bar.
const VALUE: f64 = 82.0;
const BAR: f64 = 16.0;
const STEP: f64 = 21.0;
/// Above a group that has a name, and between groups.
const HEADING: f64 = 24.0;
const GAP: f64 = 8.0;
const AXIS: f64 = 24.0;
/// How many steps an axis has, about.
const TICKS: f64 = 4.0;

/// A bar.
pub(in crate::report) struct Bar<'a> {
    pub(in crate::report) proxy: &'a str,
    pub(in crate::report) value: f64,
    /// Distance between the quartiles.
    pub(in crate::report) spread: f64,
}

/// Bars that are compared with each other.
pub(in crate::report) struct Group<'a> {
    /// Nothing, where there is only one.
    pub(in crate::report) name: &'a str,
    pub(in crate::report) bars: Vec<Bar<'a>>,
}

/// All groups on one scale, each bar with its spread as a whisker and its value beside it.
pub(in crate::report) fn bars(
    caption: &str,
    groups: &[Group<'_>],
    shown: fn(f64) -> String,
) -> String {
    let all = groups.iter().flat_map(|group| &group.bars);
    let most = all
        .map(|bar| bar.value + bar.spread / 2.0)
        .fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LABEL - VALUE) / most;
    let height: f64 = groups.iter().map(Group::height).sum::<f64>() + AXIS;
    let mut svg = start(caption, height);
    axis(&mut svg, most, scale, height - AXIS);
    let mut y = 0.0;
    for group in groups {
        let mut at = y;
        if !group.name.is_empty() {
            let _ = write!(
                svg,
                "<text class=\"group\" x=\"{LABEL}\" y=\"{:.1}\">{}</text>",
                at + 17.0,
                escape(group.name)
            );
            at += HEADING;
        }
        for bar in &group.bars {
            row(&mut svg, bar, at, scale, shown);
            at += STEP;
        }
        y += group.height();
    }
    svg + "</svg>"
}

impl Group<'_> {
    fn height(&self) -> f64 {
        let heading = if self.name.is_empty() { 0.0 } else { HEADING };
        heading + self.bars.len() as f64 * STEP + GAP
    }
}

fn row(svg: &mut String, bar: &Bar<'_>, y: f64, scale: f64, shown: fn(f64) -> String) {
    let middle = y + BAR / 2.0;
    let end = LABEL + bar.value * scale;
    let half = bar.spread / 2.0 * scale;
    let _ = write!(
        svg,
        "<text class=\"name\" x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>\
         <rect class=\"{}\" x=\"{LABEL}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>",
        LABEL - 7.0,
        escape(bar.proxy),
        class(bar.proxy),
        (end - LABEL).max(0.5),
        base = middle + 4.5,
    );
    if half > 0.0 {
        let (from, to) = ((end - half).max(LABEL), end + half);
        let _ = write!(
            svg,
            "<path class=\"whisker\" d=\"M{from:.1} {middle:.1}H{to:.1}M{from:.1} {top:.1}v6M{to:.1} {top:.1}v6\"/>",
            top = middle - 3.0,
        );
    }
    let _ = write!(
        svg,
        "<text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        end + half + 6.0,
        middle + 4.5,
        escape(&shown(bar.value)),
    );
}

fn axis(svg: &mut String, most: f64, scale: f64, bottom: f64) {
    let step = step(most);
    let ticks = (most / step * 1.001) as usize;
    for tick in 0..=ticks {
        let value = tick as f64 * step;
        let x = LABEL + value * scale;
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{x:.1} 0V{bottom:.1}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 15.0,
            number(value, step),
        );
    }
}

/// 1, 2 or 5 times a power of ten.
fn step(most: f64) -> f64 {
    let rough = most / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter();
    let factor = factor.filter(|factor| factor * power >= rough * 0.999);
    factor.fold(f64::INFINITY, f64::min) * power
}

/// With as many digits as its axis needs.
fn number(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion() {
        let bar = |value| Bar {
            proxy: "a<b",
            value,
            spread: 0.0,
        };
        let group = Group {
            name: "5000/s",
            bars: vec![bar(10.0), bar(5.0)],
        };
        let svg = bars("x", &[group], |value| format!("{value} µs"));
        let full = WIDTH - LABEL - VALUE;
        for part in [
            format!("width=\"{full:.1}\""),
            format!("width=\"{:.1}\"", full / 2.0),
            "a&lt;b".to_owned(),
            "5000/s".to_owned(),
            ">10 µs<".to_owned(),
        ] {
            assert!(svg.contains(&part), "no {part} in {svg}");
        }
    }

    #[test]
    fn axes_have_round_numbers() {
        for (most, wanted) in [
            (7.3, 2.0),
            (0.8, 0.2),
            (1000.0, 500.0),
            (18.0, 5.0),
            (4.0, 1.0),
        ] {
            assert!((step(most) - wanted).abs() < 1e-9, "{most}: {}", step(most));
        }
        assert_eq!(
            (number(0.4, 0.2), number(20.0, 5.0)),
            ("0.4".into(), "20".into())
        );
    }
}
