//! A flame graph as SVG: callers below, callees above, width as time. Names are shown where there is
//! room, the rest when pointed at.

use std::fmt::Write as _;

use super::fold::{Folded, Node};
use crate::report::escape;

const WIDTH: f64 = 1600.0;
const ROW: f64 = 17.0;
/// Narrower than this is left out.
const NARROWEST: f64 = 0.4;
/// Of a character.
const LETTER: f64 = 6.6;

/// The whole picture.
pub(super) fn draw(folded: &Folded) -> String {
    let scale = WIDTH / folded.samples().max(1) as f64;
    let depth = depth(&folded.root, scale);
    let height = (depth + 1) as f64 * ROW + 8.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         font-family=\"monospace\" font-size=\"11\">\
         <rect width=\"100%\" height=\"100%\" fill=\"#fffdf8\"/>\n"
    );
    let painter = Painter {
        scale,
        height,
        total: folded.samples(),
    };
    painter.row(&mut svg, &folded.root, 0.0, 0);
    svg + "</svg>\n"
}

struct Painter {
    scale: f64,
    height: f64,
    total: u64,
}

impl Painter {
    fn row(&self, svg: &mut String, node: &Node, from: f64, level: usize) {
        let mut x = from;
        for (name, child) in &node.calls {
            let width = child.samples as f64 * self.scale;
            if width >= NARROWEST {
                self.frame(svg, name, child, [x, width], level);
                self.row(svg, child, x, level + 1);
            }
            x += width;
        }
    }

    fn frame(&self, svg: &mut String, name: &str, node: &Node, [x, width]: [f64; 2], level: usize) {
        let y = self.height - (level + 1) as f64 * ROW - 4.0;
        let share = node.samples as f64 / self.total.max(1) as f64 * 100.0;
        let letters = (width / LETTER) as usize;
        let shown: String = match letters {
            0..3 => String::new(),
            _ if name.chars().count() <= letters => name.to_owned(),
            _ => name.chars().take(letters - 1).chain(['…']).collect(),
        };
        let _ = writeln!(
            svg,
            "<g><title>{} ({share:.1} %)</title>\
             <rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            escape(name),
            (width - 0.5).max(0.1),
            ROW - 1.0,
            colour(name),
            x + 3.0,
            y + 12.0,
            escape(&shown),
        );
    }
}

fn depth(node: &Node, scale: f64) -> usize {
    let wide = node.calls.values();
    let wide = wide.filter(|child| child.samples as f64 * scale >= NARROWEST);
    wide.map(|child| 1 + depth(child, scale)).max().unwrap_or(0)
}

/// The kernel's functions have no path; the proxy's, its libraries' and the kernel's differ.
fn colour(name: &str) -> &'static str {
    match name {
        name if name.starts_with("edge") => "#f2a65a",
        name if name.starts_with("rustls") || name.starts_with("aws_lc") => "#b7d77a",
        name if name.contains("::") => "#f6cf71",
        _ => "#9ecae1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_is_time() {
        let mut folded = Folded::default();
        for stack in ["a", "a", "a", "b<c>"] {
            folded.line("worker-0");
            folded.line(&format!("\t 1 {stack}"));
            folded.line("");
        }
        let svg = draw(&folded);
        for part in ["a (75.0 %)", "b&lt;c&gt; (25.0 %)", "width=\"1199.5\""] {
            assert!(svg.contains(part), "no {part} in {svg}");
        }
    }
}
