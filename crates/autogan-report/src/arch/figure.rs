//! [`arch_svg`] draws the full figure: cells in a row with every operation, shortcuts above, skips below.

use autogan_space::Arch;

use super::view::{ArchView, CellView, OpKind, OpView, SkipView};
use super::{ARCH_CSS, Drawing};
use crate::svg::{Anchor, Svg, rounded};

/// Side by side: width of an operation, and the gap after it.
const BAR: f64 = 22.0;
const GAP: f64 = 4.0;
/// Height of an operation: the longest label, "instance norm", upright.
const BAR_HEIGHT: f64 = 92.0;
/// Between the parts of the flow.
const STEP: f64 = 18.0;
const ADD_RADIUS: f64 = 8.0;
const TOP: f64 = 30.0;
/// Room inside a cell for the shortcut.
const ABOVE: f64 = 42.0;
const BELOW: f64 = 14.0;
/// Distance of the lines in which skips run.
const LANE: f64 = 26.0;
const CORNER: f64 = 7.0;
/// Room between a cell's last operation and its edge.
const PAD: f64 = 12.0;

/// The middle of the flow.
const AXIS: f64 = TOP + ABOVE + BAR_HEIGHT / 2.0;
const CELL_HEIGHT: f64 = ABOVE + BAR_HEIGHT + BELOW;
const CELL_BOTTOM: f64 = TOP + CELL_HEIGHT;

/// Draws an architecture as in the paper's figure 3: an `<svg>` element without a style of its own,
/// for a page that has [`ARCH_CSS`] in its style sheet.
pub fn arch_svg(arch: &Arch, drawing: &Drawing) -> String {
    let (figure, size) = figure(arch, drawing);
    figure.finish("arch arch-figure", size, &format!("Architecture {}", arch.named()))
}

/// The same as a file of its own, light or dark as its viewer prefers.
pub fn arch_svg_file(arch: &Arch, drawing: &Drawing) -> String {
    let (figure, size) = figure(arch, drawing);
    figure.file("arch arch-figure", size, &arch.named(), (ARCH_CSS, "a-paper"))
}

fn figure(arch: &Arch, drawing: &Drawing) -> (Svg, (f64, f64)) {
    let view = ArchView::new(arch, drawing);
    let mut pen = Pen { svg: Svg::default(), x: 10.0 };
    pen.stem(&view);
    let taps: Vec<Tap> = view.cells.iter().map(|cell| pen.cell(cell, view.tap_after_add)).collect();
    pen.image(&view);
    let skips: Vec<(usize, &SkipView)> =
        view.cells.iter().flat_map(|c| c.skips.iter().map(|skip| (c.index, skip))).collect();
    // Short skips run near the cells, long ones below them.
    let mut lanes: Vec<(usize, &SkipView)> = skips.clone();
    lanes.sort_by_key(|(to, skip)| (to - skip.from, *to));
    for (lane, (to, skip)) in lanes.iter().enumerate() {
        pen.skip(skip, &taps[skip.from], &taps[*to], (lane, view.cells[*to].skips.len()));
    }
    let height = CELL_BOTTOM + 12.0 + LANE * skips.len() as f64;
    (pen.svg, (pen.x + 10.0, height))
}

/// Where a cell's skips leave and arrive.
struct Tap {
    leaves: f64,
    arrives: f64,
}

/// The drawing and how far to the right it is.
struct Pen {
    svg: Svg,
    x: f64,
}

impl Pen {
    fn stem(&mut self, view: &ArchView) {
        self.svg.text("a-title", (self.x, AXIS + 4.0), Anchor::Start, "z");
        self.svg.text("a-muted", (self.x, AXIS + 18.0), Anchor::Start, &view.latent.to_string());
        self.x += 24.0;
        self.arrow(12.0);
        let side = view.bottom;
        let label = format!("linear {side}×{side}");
        let tip = format!("linear layer to {} channels of {side}×{side}", view.width);
        self.bar("a-end", &label, &tip);
        self.arrow(STEP - GAP);
    }

    fn image(&mut self, view: &ArchView) {
        for (class, label) in [
            ("a-norm", "batch norm"),
            ("a-activation", "ReLU"),
            ("a-conv", "conv 3×3"),
            ("a-activation", "tanh"),
        ] {
            self.bar(class, label, label);
        }
        self.arrow(STEP - GAP);
        let side = view.cells.last().map_or(view.bottom, |cell| cell.side);
        self.svg.rect("a-box a-end", [self.x, AXIS - 20.0, 48.0, 40.0], 3.0);
        self.svg.text("a-title", (self.x + 24.0, AXIS), Anchor::Middle, "RGB");
        let size = format!("{side}×{side}");
        self.svg.text("a-muted", (self.x + 24.0, AXIS + 13.0), Anchor::Middle, &size);
        self.x += 48.0;
    }

    fn cell(&mut self, cell: &CellView, tap_after_add: bool) -> Tap {
        let left = self.x;
        let width = cell_width(cell);
        self.svg.rect("a-cell", [left, TOP, width, CELL_HEIGHT], 8.0);
        let name = format!("Cell {} · {}-activation", cell.index + 1, cell.conv);
        self.svg.text("a-title", (left + 2.0, TOP - 8.0), Anchor::Start, &name);
        let side = format!("{0}×{0}", cell.side);
        self.svg.text("a-muted", (left + width - 2.0, TOP - 8.0), Anchor::End, &side);

        let enters = left + 8.0;
        self.arrow(STEP);
        self.half(&cell.halves[0]);
        let before = self.x - GAP + 5.0;
        let (arrives, after) = if cell.skips.is_empty() {
            self.arrow(STEP);
            (before, before)
        } else {
            self.arrow(STEP - GAP + 2.0);
            let sum = self.add();
            self.arrow(STEP - 2.0);
            // On the line to the second half.
            (sum, sum + ADD_RADIUS + 4.0)
        };
        self.half(&cell.halves[1]);
        if let Some(ops) = &cell.shortcut {
            self.arrow(STEP - GAP);
            let sum = self.add();
            self.shortcut(ops, enters, sum);
        } else {
            self.x -= GAP;
        }
        debug_assert!((self.x - (left + width - PAD)).abs() < 1e-9, "the box fits its content");
        self.arrow_through(left + width + STEP);
        Tap { leaves: if tap_after_add { after } else { before }, arrives }
    }

    fn half(&mut self, ops: &[OpView]) {
        for op in ops {
            self.bar(class(op.kind), &op.label, &op.label);
        }
    }

    /// An operation; the pen ends a gap after it.
    fn bar(&mut self, class: &str, label: &str, tip: &str) {
        let top = AXIS - BAR_HEIGHT / 2.0;
        // The flow shows between operations.
        self.svg.line("a-flow", (self.x + BAR, AXIS), (self.x + BAR + GAP, AXIS));
        self.svg.raw(format_args!("<g><title>{}</title>", crate::svg::escape(tip)));
        self.svg.rect(&format!("a-box {class}"), [self.x, top, BAR, BAR_HEIGHT], 3.0);
        self.svg.upright("a-op-text", (self.x + BAR / 2.0 + 4.0, AXIS), label);
        self.svg.raw("</g>");
        self.x += BAR + GAP;
    }

    /// An arrow of that length from here on.
    fn arrow(&mut self, length: f64) {
        self.arrow_through(self.x + length);
    }

    fn arrow_through(&mut self, to: f64) {
        self.svg.line("a-flow", (self.x - 1.0, AXIS), (to - 4.0, AXIS));
        self.svg.head("a-flow-head", (to, AXIS), (1.0, 0.0));
        self.x = to;
    }

    /// A sum; gives its middle, the pen ends behind it.
    fn add(&mut self) -> f64 {
        let middle = self.x + ADD_RADIUS;
        self.svg.circle("a-add", (middle, AXIS), ADD_RADIUS, "sum");
        let arm = ADD_RADIUS - 3.5;
        self.svg.line("a-flow", (middle - arm, AXIS), (middle + arm, AXIS));
        self.svg.line("a-flow", (middle, AXIS - arm), (middle, AXIS + arm));
        self.x = middle + ADD_RADIUS;
        middle
    }

    /// The in-cell shortcut, above the operations.
    fn shortcut(&mut self, ops: &[OpView], from: f64, to: f64) {
        let lane = TOP + 20.0;
        let end = AXIS - ADD_RADIUS;
        let path = [(from, AXIS), (from, lane), (to, lane), (to, end - 4.0)];
        self.svg.circle("a-shortcut-head", (from, AXIS), 2.4, "");
        self.svg.path("a-shortcut", &rounded(&path, CORNER), "in-cell shortcut");
        self.svg.head("a-shortcut-head", (to, end), (0.0, 1.0));
        self.pill("a-pill-shortcut", ((from + to) / 2.0, lane), &way(ops));
    }

    /// A skip in its lane below the cells; `(lane, skips)` is its lane and how many arrive with it.
    fn skip(&mut self, skip: &SkipView, from: &Tap, to: &Tap, (lane, skips): (usize, usize)) {
        let y = CELL_BOTTOM + 8.0 + LANE * (lane as f64 + 0.5);
        // Two that arrive at one sum arrive side by side, the longer one left.
        let shift = if skips < 2 { 0.0 } else { 3.6 };
        let x = to.arrives + if skip.factor > 2 { -shift } else { shift };
        let end = AXIS + (ADD_RADIUS * ADD_RADIUS - (x - to.arrives).powi(2)).sqrt();
        let path = [(from.leaves, AXIS), (from.leaves, y), (x, y), (x, end + 4.0)];
        self.svg.circle("a-skip-head", (from.leaves, AXIS), 2.4, "");
        let tip = format!("skip from cell {}", skip.from + 1);
        self.svg.path("a-skip", &rounded(&path, CORNER), &tip);
        self.svg.head("a-skip-head", (x, end), (0.0, -1.0));
        self.pill("a-pill-skip", ((from.leaves + x) / 2.0, y), &way(&skip.ops));
    }

    /// What happens on a way, written on it.
    fn pill(&mut self, class: &str, (x, y): (f64, f64), label: &str) {
        let width = 5.4 * label.chars().count() as f64 + 12.0;
        self.svg.rect(&format!("a-pill {class}"), [x - width / 2.0, y - 8.5, width, 17.0], 8.5);
        self.svg.text("a-pill-text", (x, y + 3.7), Anchor::Middle, label);
    }
}

/// Width of a cell's box; as the pen draws it.
fn cell_width(cell: &CellView) -> f64 {
    let bars = (cell.halves[0].len() + cell.halves[1].len()) as f64;
    let skips = if cell.skips.is_empty() {
        STEP
    } else {
        (STEP - GAP + 2.0) + 2.0 * ADD_RADIUS + STEP - 2.0
    };
    let shortcut = if cell.shortcut.is_some() { STEP - GAP + 2.0 * ADD_RADIUS } else { -GAP };
    STEP + bars * (BAR + GAP) + skips + shortcut + PAD
}

fn class(kind: OpKind) -> &'static str {
    match kind {
        OpKind::Conv => "a-conv",
        OpKind::Norm => "a-norm",
        OpKind::Activation => "a-activation",
        OpKind::Upsample => "a-upsample",
    }
}

fn way(ops: &[OpView]) -> String {
    ops.iter().map(|op| op.label.as_str()).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_shortcut_and_skip_is_there() {
        let svg = arch_svg(&Arch::AUTOGAN_C, &Drawing::PAPER);
        let count = |text: &str| svg.matches(text).count();
        assert_eq!(count(">batch norm</text>"), 3, "two in cell 1, one before the image");
        assert_eq!(count(">conv 3×3</text>"), 7);
        assert_eq!(count("class=\"a-shortcut\""), 2);
        assert_eq!(count("class=\"a-skip\""), 3);
        assert_eq!(count("<title>sum</title>"), 4, "two shortcuts, two cells with skips");
        assert_eq!(count(">nearest ×4 · conv 1×1</text>"), 1);
        assert_eq!(count("pre-activation"), 3);
    }

    #[test]
    fn a_tap_after_the_sum_lies_right_of_it() {
        let drawn = |tap_after_add| {
            arch_svg(&Arch::AUTOGAN_A, &Drawing { tap_after_add, ..Drawing::PAPER })
        };
        assert_ne!(drawn(false), drawn(true));
    }

    #[test]
    fn all_architectures_fit_their_boxes() {
        for n in (0..autogan_space::count_all()).step_by(997) {
            let Some(arch) = Arch::nth(2, n) else { panic!("{n} is below the count") };
            let view = ArchView::new(&arch, &Drawing::PAPER);
            let mut pen = Pen { svg: Svg::default(), x: 0.0 };
            for cell in &view.cells {
                let left = pen.x;
                let tap = pen.cell(cell, false);
                let right = left + cell_width(cell);
                assert!(tap.leaves > left && tap.arrives < right, "{arch}");
            }
        }
    }
}
