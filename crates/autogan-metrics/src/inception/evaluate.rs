//! The network on the CPU: channels last, weights packed once, branches written straight into their block's output.
//!
//! What it computes is what the plain form in `network.rs` does, up to rounding. An average pool before a 1x1 convolution is moved
//! behind it, where there are fewer channels: both are linear, and the mean of a constant is the constant.

use autogan_kernels::inference::{
    Buffer, Convolution, Images, ImagesMut, Shape, average_pixels, average_pool3, max_pool3,
    max_pool3_output,
};
use candle_core::{Device, Tensor, bail};

use super::Tap;
use super::layout::{Block, Step};
use crate::{Error, Result};

/// What pixels are set apart by, where their channels fill whole pages.
const GAP: usize = 16;

/// Blocks of the network that run image by image.
const STEM: usize = 2;

/// All blocks, with their weights packed.
pub(super) struct Evaluator {
    blocks: Vec<Ready>,
}

/// A block: its branches and the tap behind it.
struct Ready {
    branches: Vec<Vec<Layer>>,
    tap: Option<Tap>,
}

/// A step of a branch.
enum Layer {
    Conv(Convolution),
    Fork(Convolution, Convolution),
    /// A 1x1 convolution and the 3x3 averages that stand before it, convolved first: on fewer channels.
    Averaged(Convolution),
    MaxPool {
        stride: usize,
        pad: usize,
    },
}

/// Memory of activations that are not needed any more: it is neither asked for nor cleared again.
#[derive(Default)]
pub(super) struct Spare(Vec<Buffer>);

impl Spare {
    /// At least `len` elements; the caller writes before it reads.
    pub fn take(&mut self, len: usize) -> Buffer {
        let fits = (0..self.0.len()).filter(|&i| self.0[i].len() >= len);
        match fits.min_by_key(|&i| self.0[i].len()) {
            Some(i) => self.0.swap_remove(i),
            None => Buffer::zeros(len),
        }
    }

    /// Takes memory back.
    pub fn give(&mut self, buffer: Buffer) {
        self.0.push(buffer);
    }
}

/// Activations: `[n, h, w, pitch]`, of which the first `channels` are used.
struct Activations {
    data: Buffer,
    shape: Shape,
    channels: usize,
    pitch: usize,
}

impl Activations {
    fn new(shape: Shape, channels: usize, spare: &mut Spare) -> Self {
        // Pixels a multiple of 4 KiB apart would share few places of the nearest cache.
        let pitch = if channels.is_multiple_of(1024) { channels + GAP } else { channels };
        Self { data: spare.take(shape.pixels() * pitch), shape, channels, pitch }
    }

    fn view(&self) -> Result<Images<'_>> {
        Ok(Images::new(&self.data, self.shape, self.pitch, (0, self.channels))?)
    }

    /// Some of the channels, to be written.
    fn part(&mut self, first: usize, channels: usize) -> Result<ImagesMut<'_>> {
        Ok(ImagesMut::new(&mut self.data, self.shape, self.pitch, (first, channels))?)
    }
}

impl Evaluator {
    /// Of blocks whose convolutions are ready.
    ///
    /// # Errors
    /// When an average pool is not followed by a 1x1 convolution.
    pub fn new(blocks: Vec<Block<Convolution>>) -> Result<Self> {
        let ready = |block: Block<Convolution>| {
            let branches = block.branches.into_iter().map(layers).collect::<Result<_>>()?;
            Ok(Ready { branches, tap: block.tap })
        };
        Ok(Self { blocks: blocks.into_iter().map(ready).collect::<Result<_>>()? })
    }

    /// Means over pixels `[n, channels]` behind the blocks that have a tap, up to the tap `last`, of images
    /// `[n, side, side, 3]`.
    pub fn forward(
        &self,
        x: &Buffer,
        shape: Shape,
        last: Tap,
        spare: &mut Spare,
    ) -> Result<Vec<(Tap, Tensor)>> {
        let mut means: Vec<(Tap, Vec<f32>)> = Vec::new();
        let mut keep = |tap: Tap, x: &Activations| -> Result<()> {
            let found = average_pixels(x.view()?);
            match means.iter_mut().find(|(t, _)| *t == tap) {
                Some((_, means)) => means.extend(found),
                None => means.push((tap, found)),
            }
            Ok(())
        };
        // The first blocks' images are large: one at a time stays in the cache. All go on together.
        let (stem, rest) = self.blocks.split_at(STEM);
        let one = Shape { n: 1, ..shape };
        let mut together: Option<Activations> = None;
        for i in 0..shape.n {
            let mut input = spare.take(one.pixels() * 3);
            input[..one.pixels() * 3]
                .copy_from_slice(&x[i * one.pixels() * 3..][..one.pixels() * 3]);
            let first = Activations { data: input, shape: one, channels: 3, pitch: 3 };
            let Some(y) = run_blocks(stem, first, last, spare, &mut keep)? else { continue };
            let len = y.shape.pixels() * y.pitch;
            let all = together.get_or_insert_with(|| {
                Activations::new(Shape { n: shape.n, ..y.shape }, y.channels, spare)
            });
            all.data[i * len..][..len].copy_from_slice(&y.data[..len]);
            spare.give(y.data);
        }
        if let Some(all) = together
            && let Some(y) = run_blocks(rest, all, last, spare, &mut keep)?
        {
            spare.give(y.data);
        }
        let tensor = |(tap, means): (Tap, Vec<f32>)| {
            let columns = means.len() / shape.n;
            Ok((tap, Tensor::from_vec(means, (shape.n, columns), &Device::Cpu)?))
        };
        means.into_iter().map(tensor).collect()
    }
}

/// Some blocks in turn; nothing when the last tap is among them.
fn run_blocks(
    blocks: &[Ready],
    mut x: Activations,
    last: Tap,
    spare: &mut Spare,
    keep: &mut impl FnMut(Tap, &Activations) -> Result<()>,
) -> Result<Option<Activations>> {
    for block in blocks {
        let y = block.run(&x, spare)?;
        spare.give(std::mem::replace(&mut x, y).data);
        let Some(tap) = block.tap else { continue };
        keep(tap, &x)?;
        if tap >= last {
            spare.give(x.data);
            return Ok(None);
        }
    }
    Ok(Some(x))
}

fn layers(steps: Vec<Step<Convolution>>) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    let mut steps = steps.into_iter();
    while let Some(step) = steps.next() {
        layers.push(match step {
            Step::Conv(conv) => Layer::Conv(conv),
            Step::Fork(a, b) => Layer::Fork(a, b),
            Step::MaxPool { stride, pad } => Layer::MaxPool { stride, pad },
            Step::AvgPool => Layer::Averaged(pointwise(steps.next())?),
        });
    }
    Ok(layers)
}

fn pointwise(step: Option<Step<Convolution>>) -> candle_core::Result<Convolution> {
    match step {
        Some(Step::Conv(conv)) if conv.is_pointwise() => Ok(conv),
        _ => bail!("Inception: expected a 1x1 convolution behind an average pool"),
    }
}

impl Ready {
    fn run(&self, x: &Activations, spare: &mut Spare) -> Result<Activations> {
        let mut shape = x.shape;
        let mut channels = 0;
        for branch in &self.branches {
            (shape, channels) = branch
                .iter()
                .try_fold((x.shape, x.channels), |(s, c), layer| {
                    Ok::<_, Error>((layer.shape(s)?, layer.channels(c)))
                })
                .map(|(s, c)| (s, channels + c))?;
        }
        let mut y = Activations::new(shape, channels, spare);
        let mut first = 0;
        for branch in &self.branches {
            first += run(branch, x, &mut y, first, spare)?;
        }
        Ok(y)
    }
}

/// The layers of a branch, the last of which writes the channels of `y` from `first` on; gives their number.
fn run(
    branch: &[Layer],
    x: &Activations,
    y: &mut Activations,
    first: usize,
    spare: &mut Spare,
) -> Result<usize> {
    let Some((layer, then)) = branch.split_first() else { return Ok(0) };
    let channels = layer.channels(x.channels);
    if then.is_empty() {
        layer.run(x, y, first, spare)?;
        return Ok(channels);
    }
    let mut between = Activations::new(layer.shape(x.shape)?, channels, spare);
    layer.run(x, &mut between, 0, spare)?;
    let channels = run(then, &between, y, first, spare)?;
    spare.give(between.data);
    Ok(channels)
}

impl Layer {
    /// Channels behind it.
    fn channels(&self, inputs: usize) -> usize {
        match self {
            Layer::Conv(conv) | Layer::Averaged(conv) => conv.outputs(),
            Layer::Fork(a, b) => a.outputs() + b.outputs(),
            Layer::MaxPool { .. } => inputs,
        }
    }

    /// Shape behind it.
    fn shape(&self, from: Shape) -> Result<Shape> {
        Ok(match self {
            Layer::Conv(conv) | Layer::Fork(conv, _) | Layer::Averaged(conv) => {
                conv.output(from)?
            }
            Layer::MaxPool { stride, pad } => max_pool3_output(from, *stride, *pad)?,
        })
    }

    /// Writes its channels of `y`, from `first` on.
    fn run(
        &self,
        x: &Activations,
        y: &mut Activations,
        first: usize,
        spare: &mut Spare,
    ) -> Result<()> {
        match self {
            Layer::Conv(conv) => conv.relu(x.view()?, y.part(first, conv.outputs())?)?,
            Layer::Fork(a, b) => {
                a.relu(x.view()?, y.part(first, a.outputs())?)?;
                b.relu(x.view()?, y.part(first + a.outputs(), b.outputs())?)?;
            }
            Layer::Averaged(conv) => {
                let mut sums = Activations::new(x.shape, conv.outputs(), spare);
                conv.linear(x.view()?, sums.part(0, conv.outputs())?)?;
                average_pool3(sums.view()?, conv.bias(), y.part(first, conv.outputs())?)?;
                spare.give(sums.data);
            }
            Layer::MaxPool { stride, pad } => {
                max_pool3(x.view()?, y.part(first, x.channels)?, *stride, *pad)?;
            }
        }
        Ok(())
    }
}
