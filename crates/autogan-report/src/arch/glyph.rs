//! [`arch_glyph`] makes the small drawing for rows of architectures: cells as boxes with their choices.

use autogan_space::Arch;

use super::Drawing;
use super::view::ArchView;
use crate::svg::{Anchor, Svg, rounded};

const WIDTH: f64 = 78.0;
const HEIGHT: f64 = 56.0;
const STEP: f64 = 20.0;
const LEFT: f64 = 8.0;
const TOP: f64 = 16.0;
const LANE: f64 = 9.0;
const AXIS: f64 = TOP + HEIGHT / 2.0;

/// Draws an architecture small: each cell a box that names its order, norm and upsampling,
/// shortcuts above, skips below. An `<svg>` element for a page with [`super::ARCH_CSS`].
pub fn arch_glyph(arch: &Arch) -> String {
    let view = ArchView::new(arch, &Drawing::PAPER);
    let mut svg = Svg::default();
    let left = |cell: usize| LEFT + (WIDTH + STEP) * cell as f64;
    for cell in &view.cells {
        let x = left(cell.index);
        svg.line("a-flow", (x - if cell.index == 0 { LEFT } else { STEP }, AXIS), (x - 4.0, AXIS));
        svg.head("a-flow-head", (x, AXIS), (1.0, 0.0));
        svg.rect("a-cell", [x, TOP, WIDTH, HEIGHT], 6.0);
        let norm = if cell.norm == "none" { "no norm".to_owned() } else { cell.norm.to_owned() };
        let lines = [
            (format!("{}-act.", cell.conv), "a-title"),
            (norm, ""),
            (cell.upsample.to_owned(), ""),
        ];
        for (line, (text, class)) in lines.iter().enumerate() {
            let y = TOP + 17.0 + 15.0 * line as f64;
            svg.text(class, (x + WIDTH / 2.0, y), Anchor::Middle, text);
        }
        if cell.shortcut.is_some() {
            let (from, to, lane) = (x + 10.0, x + WIDTH - 10.0, TOP - 9.0);
            let path = [(from, TOP), (from, lane), (to, lane), (to, TOP - 4.0)];
            svg.path("a-shortcut", &rounded(&path, 5.0), "in-cell shortcut");
            svg.head("a-shortcut-head", (to, TOP), (0.0, 1.0));
        }
    }
    let end = left(view.cells.len()) - STEP;
    svg.line("a-flow", (end, AXIS), (end + 8.0, AXIS));
    let bottom = TOP + HEIGHT;
    let skips = view.cells.iter().flat_map(|cell| cell.skips.iter().map(|s| (s.from, cell.index)));
    let mut lanes: Vec<(usize, usize)> = skips.collect();
    lanes.sort_by_key(|(from, to)| (to - from, *to));
    for (lane, &(from, to)) in lanes.iter().enumerate() {
        let y = bottom + 4.0 + LANE * (lane as f64 + 0.6);
        // Those that leave or arrive at one cell do so side by side.
        let leaves = left(from) + WIDTH - if to - from > 1 { 22.0 } else { 12.0 };
        let arrives = left(to) + if to - from > 1 { 14.0 } else { 26.0 };
        let path = [(leaves, bottom), (leaves, y), (arrives, y), (arrives, bottom + 4.0)];
        svg.path("a-skip", &rounded(&path, 4.0), &format!("skip from cell {}", from + 1));
        svg.head("a-skip-head", (arrives, bottom), (0.0, -1.0));
    }
    let height = bottom + 8.0 + LANE * 3.0;
    svg.finish("arch arch-glyph", (end + 10.0, height), &format!("Architecture {}", arch.named()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_each_choice() {
        let svg = arch_glyph(&Arch::AUTOGAN_A);
        let count = |text: &str| svg.matches(text).count();
        assert_eq!((count("class=\"a-shortcut\""), count("class=\"a-skip\"")), (2, 3));
        assert_eq!((count(">nearest<"), count(">bilinear<"), count(">no norm<")), (2, 1, 3));
    }
}
