//! These functions count parameters and multiply-accumulates of the plain networks, in closed form.
//!
//! Only convolutions, transposed convolutions and linear layers count as multiply-accumulates
//! (MACs), the way the paper's "1.77 GFLOPs" do, and every layer in the place where the released
//! code runs it: no saving of a fused form is taken off. Parameters are the trained numbers;
//! running statistics and the vectors of spectral norm are not among them.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};

use serde::{Deserialize, Serialize};

use crate::{Arch, CellArch, MAX_CELLS, Norm, TokenKind, Upsample};

/// The channels of an image.
const RGB: usize = 3;

/// The cost of a network, or of a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Trained parameters.
    pub params: u64,
    /// Multiply-accumulates of one forward pass of one image.
    pub macs: u64,
}

impl Cost {
    /// No cost.
    pub const ZERO: Self = Self { params: 0, macs: 0 };
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { params: self.params + other.params, macs: self.macs + other.macs }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::ZERO, Add::add)
    }
}

/// The cost of several equal parts.
impl Mul<u64> for Cost {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self { params: self.params * times, macs: self.macs * times }
    }
}

/// The sizes of a generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorShape {
    /// Length of the latent vector (128 in the paper).
    pub latent: usize,
    /// Channels of every cell, `gf` in the released code.
    pub width: usize,
    /// Side of the first cell's input: 4 for CIFAR-10, 6 for STL-10.
    pub bottom: usize,
}

/// The cost of one cell by its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellCost {
    /// Both halves: 3x3 convolutions, norms, and the deconvolution of the first.
    pub halves: Cost,
    /// Incoming skips: 1x1 convolutions and their deconvolutions.
    pub skips: Cost,
    /// The in-cell shortcut: 1x1 convolution and its deconvolution.
    pub shortcut: Cost,
}

impl CellCost {
    /// The whole cell.
    pub fn total(&self) -> Cost {
        self.halves + self.skips + self.shortcut
    }
}

/// The cost of a generator by its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorCost {
    /// The linear layer from the latent vector.
    pub stem: Cost,
    /// The cells, the first first.
    pub cells: Vec<CellCost>,
    /// Batch norm and 3x3 convolution to the image.
    pub to_rgb: Cost,
}

impl GeneratorCost {
    /// The whole generator.
    pub fn total(&self) -> Cost {
        self.stem + self.cells.iter().map(CellCost::total).sum() + self.to_rgb
    }
}

/// A convolution with bias, side kept: `[in, side, side]` to `[out, side, side]`.
fn conv(kernel: usize, inputs: usize, outputs: usize, side: usize) -> Cost {
    let weights = (kernel * kernel * inputs * outputs) as u64;
    Cost { params: weights + outputs as u64, macs: weights * (side * side) as u64 }
}

/// A transposed convolution 2x2 with stride 2 and bias, from `side` to twice that.
fn deconv(width: usize, side: usize) -> Cost {
    let weights = (4 * width * width) as u64;
    Cost { params: weights + width as u64, macs: weights * (side * side) as u64 }
}

fn linear(inputs: usize, outputs: usize, bias: bool) -> Cost {
    let weights = (inputs * outputs) as u64;
    Cost { params: weights + if bias { outputs as u64 } else { 0 }, macs: weights }
}

/// Scale and shift of batch norm; no MACs by the convention above.
fn batch_norm(width: usize) -> Cost {
    Cost { params: 2 * width as u64, macs: 0 }
}

fn stem(shape: &GeneratorShape) -> Cost {
    let outputs = shape.width * shape.bottom * shape.bottom;
    linear(shape.latent, outputs, true)
}

fn to_rgb(width: usize, side: usize) -> Cost {
    batch_norm(width) + conv(3, width, RGB, side)
}

/// The cost of the layers around the cells of a generator that ends with a stage (from 0).
pub(crate) fn ends(stage: usize, shape: &GeneratorShape) -> Cost {
    stem(shape) + to_rgb(shape.width, side_after(stage, shape.bottom))
}

/// The side of the output of cell `index` (from 0).
fn side_after(index: usize, bottom: usize) -> usize {
    bottom << (index + 1)
}

pub(crate) fn cell_cost(cell: &CellArch, shape: &GeneratorShape) -> CellCost {
    let GeneratorShape { width, bottom, .. } = *shape;
    let side = side_after(cell.index(), bottom);
    let by_deconv = cell.upsample == Upsample::Deconv;

    let mut half = conv(3, width, width, side);
    if cell.norm == Norm::Batch {
        half += batch_norm(width);
    }
    let mut halves = half * 2;
    let mut shortcut = Cost::ZERO;
    if cell.shortcut {
        shortcut += conv(1, width, width, side);
    }
    if by_deconv {
        halves += deconv(width, side / 2);
        if cell.shortcut {
            shortcut += deconv(width, side / 2);
        }
    }

    let mut skips = Cost::ZERO;
    for from in cell.skips.sources() {
        skips += conv(1, width, width, side);
        if by_deconv {
            // One deconvolution for each doubling on the way from the earlier cell's side.
            skips += (from..cell.index()).map(|at| deconv(width, side_after(at, bottom))).sum();
        }
    }
    CellCost { halves, skips, shortcut }
}

/// The cost, part by part, of the generator that holds only what `arch` uses, and of one image
/// through it. The supernet spends the same MACs on this architecture.
pub fn derived_generator_breakdown(arch: &Arch, shape: &GeneratorShape) -> GeneratorCost {
    GeneratorCost {
        stem: stem(shape),
        cells: arch.cells().iter().map(|cell| cell_cost(cell, shape)).collect(),
        to_rgb: to_rgb(shape.width, side_after(arch.stage(), shape.bottom)),
    }
}

/// The cost of the generator that holds only what `arch` uses, and of one image through it.
pub fn derived_generator_cost(arch: &Arch, shape: &GeneratorShape) -> Cost {
    derived_generator_breakdown(arch, shape).total()
}

/// The most that a derived generator of a stage (from 0) costs: the most parameters, and the most MACs of one image. Two
/// architectures may share them.
pub fn dearest_cost(stage: usize, shape: &GeneratorShape) -> Cost {
    let dearest = |index| {
        CellArch::enumerate(index).map(|cell| cell_cost(&cell, shape).total()).fold(
            Cost::ZERO,
            |most, cost| Cost {
                params: most.params.max(cost.params),
                macs: most.macs.max(cost.macs),
            },
        )
    };
    ends(stage, shape) + (0..=stage).map(dearest).sum()
}

/// The cost of the weight-sharing generator at a stage (from 0).
///
/// `params` are those of the whole supernet, all three cells with every choice in them, whatever
/// the stage. `macs` are the mean over all architectures of the stage of one image through the
/// cells in use, rounded down: what shared training spends, which draws them uniformly or nearly.
pub fn supernet_cost(stage: usize, shape: &GeneratorShape) -> Cost {
    let width = shape.width;
    // Released names: {post,pre}_conv{1,2} with conv, bn and deconv each; deconv_sc,
    // skip_deconvx2, skip_deconvx4.{0,1}; c_sc; one skip_in_ops.i for every earlier cell.
    let half = conv(3, width, width, 1) + batch_norm(width) + deconv(width, 1);
    let cells = (0..MAX_CELLS)
        .map(|earlier| {
            half * 4 + deconv(width, 1) * 4 + conv(1, width, width, 1) * (1 + earlier as u64)
        })
        .sum::<Cost>();
    let ends = ends(stage, shape);
    let mean_cells: u64 = (0..=stage).map(|index| mean_cell_macs(index, shape)).sum();
    Cost { params: (ends + cells).params, macs: ends.macs + mean_cells }
}

/// The mean MACs of the cells for one place.
fn mean_cell_macs(index: usize, shape: &GeneratorShape) -> u64 {
    let (macs, cells) = CellArch::enumerate(index).fold((0, 0), |(macs, cells), cell| {
        let cost = cell_cost(&cell, shape).total();
        (macs + cost.macs, cells + 1)
    });
    macs / cells.max(1)
}

/// The cost of the discriminator at a stage (from 0); `width` is `df` in the released code,
/// `bottom` the side of the generator's first input.
///
/// `params` are those of all four blocks, which the network holds from the beginning; `macs` are
/// those of one image through the blocks that the stage runs: 1 to `stage + 1`, then 4.
pub fn discriminator_cost(stage: usize, width: usize, bottom: usize) -> Cost {
    let image = side_after(stage, bottom);
    let half = image / 2;
    let last = if stage == 0 { half } else { half / 2 };
    let square = |side: usize| conv(3, width, width, side);
    // Block 1 pools the image before its 1x1 shortcut, block 2 its shortcut's output.
    let block1 = conv(3, RGB, width, image) + square(image) + conv(1, RGB, width, half);
    let block2 = square(half) * 2 + conv(1, width, width, half);
    let block3 = square(last) * 2;
    let block4 = square(last) * 2;
    let head = linear(width, 1, false);

    let held = block1 + block2 + block3 + block4 + head;
    let run = [block1, block2, block3].into_iter().take(stage + 1).sum::<Cost>() + block4 + head;
    Cost { params: held.params, macs: run.macs }
}

/// The parameters of the LSTM controller that draws these tokens: an LSTM cell with both biases
/// (input and hidden size `hidden`), one embedding for every value of every token, and one linear
/// decoder with bias for each token.
pub fn controller_params(tokens: &[TokenKind], hidden: usize) -> u64 {
    let hidden = hidden as u64;
    let values: u64 = tokens.iter().map(|token| token.choices() as u64).sum();
    let lstm = 4 * hidden * (2 * hidden + 2);
    let embeddings = values * hidden;
    let decoders = values * (hidden + 1);
    lstm + embeddings + decoders
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
