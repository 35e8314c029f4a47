//! An [`ArchView`] holds what a drawing shows of an architecture: the operations of each cell in their order, shortcut
//! and skips with their operations, sides and costs.

use autogan_space::{Arch, CellArch, Conv, Norm, Upsample, derived_generator_breakdown};
use serde::Serialize;

use super::Drawing;

/// An architecture, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArchView {
    /// The released vector.
    pub vector: String,
    /// The named form.
    pub named: String,
    /// The name of a published architecture, if it is one.
    pub known_name: Option<&'static str>,
    /// Length of the latent vector.
    pub latent: usize,
    /// Channels.
    pub width: usize,
    /// Side of the first feature map.
    pub bottom: usize,
    /// The cells, the first first.
    pub cells: Vec<CellView>,
    /// Skips start after the skips of their own cell were added.
    pub tap_after_add: bool,
    /// Trained parameters.
    pub params: u64,
    /// Multiply-accumulates of one image.
    pub macs: u64,
}

/// One cell, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellView {
    /// The place, from 0.
    pub index: usize,
    /// Side of its output.
    pub side: usize,
    /// "pre" or "post".
    pub conv: &'static str,
    /// "none", "batch" or "instance".
    pub norm: &'static str,
    /// "bilinear", "nearest" or "deconv".
    pub upsample: &'static str,
    /// Operations of the two halves in their order; skips are added between the halves.
    pub halves: [Vec<OpView>; 2],
    /// Operations on the in-cell shortcut, from the cell's input to its output.
    pub shortcut: Option<Vec<OpView>>,
    /// Skips from earlier cells.
    pub skips: Vec<SkipView>,
    /// Trained parameters.
    pub params: u64,
    /// Multiply-accumulates of one image.
    pub macs: u64,
}

/// A skip from an earlier cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkipView {
    /// The earlier cell, from 0.
    pub from: usize,
    /// By how much the side grows on the way.
    pub factor: usize,
    /// Operations on the way.
    pub ops: Vec<OpView>,
}

/// Which colour an operation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OpKind {
    /// A convolution.
    Conv,
    /// A normalisation.
    Norm,
    /// A non-linearity.
    Activation,
    /// Something that enlarges.
    Upsample,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpView {
    /// What kind.
    pub kind: OpKind,
    /// As it is written in a drawing: "conv 3×3".
    pub label: String,
}

impl OpView {
    pub(super) fn new(kind: OpKind, label: impl Into<String>) -> OpView {
        OpView { kind, label: label.into() }
    }
}

impl ArchView {
    /// What there is to draw of `arch` at these sizes.
    pub fn new(arch: &Arch, drawing: &Drawing) -> ArchView {
        let cost = derived_generator_breakdown(arch, &drawing.shape);
        let total = cost.total();
        let cells = arch.cells().iter().zip(&cost.cells).map(|(cell, cost)| CellView {
            index: cell.index(),
            side: drawing.shape.bottom << (cell.index() + 1),
            conv: cell.conv.name(),
            norm: cell.norm.name(),
            upsample: cell.upsample.name(),
            halves: [half(cell, true, drawing), half(cell, false, drawing)],
            shortcut: cell.shortcut.then(|| resized(cell.upsample, 2)),
            skips: cell.skips.sources().map(|from| skip(cell, from)).collect(),
            params: cost.total().params,
            macs: cost.total().macs,
        });
        ArchView {
            vector: arch.to_string(),
            named: arch.named(),
            known_name: arch.known_name(),
            latent: drawing.shape.latent,
            width: drawing.shape.width,
            bottom: drawing.shape.bottom,
            cells: cells.collect(),
            tap_after_add: drawing.tap_after_add,
            params: total.params,
            macs: total.macs,
        }
    }
}

/// The operations of a half; only the first one upsamples.
fn half(cell: &CellArch, first: bool, drawing: &Drawing) -> Vec<OpView> {
    let up = first.then(|| enlarge(cell.upsample, 2));
    let activate = norm(cell.norm).into_iter().chain([OpView::new(OpKind::Activation, "ReLU")]);
    let convolve = OpView::new(OpKind::Conv, "conv 3×3");
    match cell.conv {
        Conv::Post => up.into_iter().chain([convolve]).chain(activate).collect(),
        Conv::Pre if drawing.upsample_first => {
            up.into_iter().chain(activate).chain([convolve]).collect()
        }
        Conv::Pre => activate.chain(up).chain([convolve]).collect(),
    }
}

fn norm(norm: Norm) -> Option<OpView> {
    let label = match norm {
        Norm::None => return None,
        Norm::Batch => "batch norm",
        Norm::Instance => "instance norm",
    };
    Some(OpView::new(OpKind::Norm, label))
}

fn enlarge(upsample: Upsample, factor: usize) -> OpView {
    OpView::new(OpKind::Upsample, format!("{upsample} ×{factor}"))
}

fn skip(cell: &CellArch, from: usize) -> SkipView {
    let factor = cell.skip_factor(from);
    SkipView { from, factor, ops: resized(cell.upsample, factor) }
}

/// What a shortcut or a skip passes.
fn resized(upsample: Upsample, factor: usize) -> Vec<OpView> {
    vec![enlarge(upsample, factor), OpView::new(OpKind::Conv, "conv 1×1")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ops: &[OpView]) -> Vec<&str> {
        ops.iter().map(|op| op.label.as_str()).collect()
    }

    #[test]
    fn order_of_operations() {
        let view = ArchView::new(&Arch::AUTOGAN_C, &Drawing::PAPER);
        let first = &view.cells[0];
        assert_eq!(labels(&first.halves[0]), ["batch norm", "ReLU", "nearest ×2", "conv 3×3"]);
        assert_eq!(labels(&first.halves[1]), ["batch norm", "ReLU", "conv 3×3"]);
        assert_eq!(labels(&view.cells[1].halves[0]), ["ReLU", "bilinear ×2", "conv 3×3"]);
        let post = ArchView::new(&Arch::E2GAN, &Drawing::PAPER);
        let expected = ["bilinear ×2", "conv 3×3", "batch norm", "ReLU"];
        assert_eq!(labels(&post.cells[0].halves[0]), expected);
        let upsample_first = Drawing { upsample_first: true, ..Drawing::PAPER };
        let view = ArchView::new(&Arch::AUTOGAN_C, &upsample_first);
        assert_eq!(labels(&view.cells[1].halves[0]), ["bilinear ×2", "ReLU", "conv 3×3"]);
    }

    #[test]
    fn shortcuts_skips_sides_and_costs() {
        let view = ArchView::new(&Arch::AUTOGAN_A, &Drawing::PAPER);
        assert_eq!(view.known_name, Some("autogan-a"));
        assert_eq!((view.params, view.macs), (4_405_251, 1_765_015_552));
        let last = &view.cells[2];
        assert_eq!((last.side, last.shortcut.is_none()), (32, true));
        let skips: Vec<(usize, usize)> = last.skips.iter().map(|s| (s.from, s.factor)).collect();
        assert_eq!(skips, [(0, 4), (1, 2)]);
        assert_eq!(labels(&last.skips[0].ops), ["nearest ×4", "conv 1×1"]);
    }
}
