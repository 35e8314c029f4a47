//! This module runs the network on the CPU: channels last, weights packed once, and each branch writes straight into
//! the output of its block. The plain form in `network.rs` computes the same, up to rounding. A 1x1 convolution on
//! averages is run before they are taken, where there are fewer channels: both are linear, and the mean of a constant
//! is the constant.

use autogan_kernels::inference::{
    Buffer, Convolution, Images, ImagesMut, Shape, average_pixels, average_pool3, max_pool3,
    max_pool3_output,
};
use candle_core::{Device, Tensor};

use super::Tap;
use super::extractor::SPATIAL_CHANNELS;
use super::layout::{Block, Step};
use crate::{Error, Result};

/// Floats left free between pixels whose channels fill whole pages.
const GAP: usize = 16;

/// Blocks of the network that run image by image.
const STEM: usize = 2;

/// Buffers of activations that are not needed any more, to be used again without being cleared.
#[derive(Default)]
pub(super) struct BufferPool(Vec<Buffer>);

impl BufferPool {
    /// Returns a buffer of at least `len` elements; the caller writes before it reads.
    pub fn take(&mut self, len: usize) -> Buffer {
        let fits = (0..self.0.len()).filter(|&i| self.0[i].len() >= len);
        match fits.min_by_key(|&i| self.0[i].len()) {
            Some(i) => self.0.swap_remove(i),
            None => Buffer::zeros(len),
        }
    }

    /// Takes a buffer back.
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
    fn new(shape: Shape, channels: usize, pool: &mut BufferPool) -> Self {
        // Pixels a multiple of 4 KiB apart would share few places of the nearest cache.
        let pitch = if channels.is_multiple_of(1024) { channels + GAP } else { channels };
        Self { data: pool.take(shape.pixels() * pitch), shape, channels, pitch }
    }

    /// The channels of each pixel.
    fn pixels(&self) -> impl Iterator<Item = &[f32]> {
        let used = &self.data[..self.shape.pixels() * self.pitch];
        used.chunks_exact(self.pitch).map(|pixel| &pixel[..self.channels])
    }

    fn view(&self) -> Result<Images<'_>> {
        Ok(Images::new(&self.data, self.shape, self.pitch, (0, self.channels))?)
    }

    /// The `channels` channels from `first` on, to be written.
    fn part(&mut self, first: usize, channels: usize) -> Result<ImagesMut<'_>> {
        Ok(ImagesMut::new(&mut self.data, self.shape, self.pitch, (first, channels))?)
    }
}

/// Means over pixels `[n, channels]`, or the spatial features, behind the blocks that have a tap, up to the tap `last`,
/// of images `[n, 3, side, side]`.
pub(super) fn forward(
    blocks: &[Block<Convolution>],
    planes: &[f32],
    shape: Shape,
    last: Tap,
    pool: &mut BufferPool,
) -> Result<Vec<(Tap, Tensor)>> {
    let mut means: Vec<(Tap, Vec<f32>)> = Vec::new();
    let mut keep = |tap: Tap, x: &Activations| -> Result<()> {
        let found = match tap {
            Tap::Spatial => {
                x.pixels().flat_map(|p| p[..SPATIAL_CHANNELS].iter().copied()).collect()
            }
            _ => average_pixels(x.view()?),
        };
        match means.iter_mut().find(|(t, _)| *t == tap) {
            Some((_, means)) => means.extend(found),
            None => means.push((tap, found)),
        }
        Ok(())
    };
    // The first blocks' images are large: one at a time stays in the cache. All go on together.
    let (stem, rest) = blocks.split_at(STEM);
    let one = Shape { n: 1, ..shape };
    let mut together: Option<Activations> = None;
    for i in 0..shape.n {
        let mut input = pool.take(one.pixels() * 3);
        let planes = &planes[i * one.pixels() * 3..][..one.pixels() * 3];
        let (red, rest) = planes.split_at(one.pixels());
        let (green, blue) = rest.split_at(one.pixels());
        let colours = red.iter().zip(green).zip(blue);
        for (pixel, ((&red, &green), &blue)) in input.chunks_exact_mut(3).zip(colours) {
            pixel.copy_from_slice(&[red, green, blue]);
        }
        let first = Activations { data: input, shape: one, channels: 3, pitch: 3 };
        let Some(y) = run_blocks(stem, first, last, pool, &mut keep)? else { continue };
        let len = y.shape.pixels() * y.pitch;
        let all = together.get_or_insert_with(|| {
            Activations::new(Shape { n: shape.n, ..y.shape }, y.channels, pool)
        });
        all.data[i * len..][..len].copy_from_slice(&y.data[..len]);
        pool.give(y.data);
    }
    if let Some(all) = together
        && let Some(y) = run_blocks(rest, all, last, pool, &mut keep)?
    {
        pool.give(y.data);
    }
    let tensor = |(tap, means): (Tap, Vec<f32>)| {
        let columns = means.len() / shape.n;
        Ok((tap, Tensor::from_vec(means, (shape.n, columns), &Device::Cpu)?))
    };
    means.into_iter().map(tensor).collect()
}

/// Runs some blocks in turn; returns nothing when the last tap is among them.
fn run_blocks(
    blocks: &[Block<Convolution>],
    mut x: Activations,
    last: Tap,
    pool: &mut BufferPool,
    keep: &mut impl FnMut(Tap, &Activations) -> Result<()>,
) -> Result<Option<Activations>> {
    for block in blocks {
        let y = block.run(&x, pool)?;
        pool.give(std::mem::replace(&mut x, y).data);
        let Some(tap) = block.tap else { continue };
        keep(tap, &x)?;
        if tap >= last {
            pool.give(x.data);
            return Ok(None);
        }
    }
    Ok(Some(x))
}

impl Block<Convolution> {
    fn run(&self, x: &Activations, pool: &mut BufferPool) -> Result<Activations> {
        let mut shape = x.shape;
        let mut channels = 0;
        for branch in &self.branches {
            let behind =
                branch.iter().try_fold((x.shape, x.channels), |(shape, channels), step| {
                    Ok::<_, Error>((step.shape(shape)?, step.channels(channels)))
                })?;
            (shape, channels) = (behind.0, channels + behind.1);
        }
        let mut y = Activations::new(shape, channels, pool);
        let mut first = 0;
        for branch in &self.branches {
            first += run(branch, x, &mut y, first, pool)?;
        }
        Ok(y)
    }
}

/// Runs the steps of a branch; the last one writes the channels of `y` from `first` on. Gives their number.
fn run(
    branch: &[Step<Convolution>],
    x: &Activations,
    y: &mut Activations,
    first: usize,
    pool: &mut BufferPool,
) -> Result<usize> {
    let Some((step, then)) = branch.split_first() else { return Ok(0) };
    let channels = step.channels(x.channels);
    if then.is_empty() {
        step.run(x, y, first, pool)?;
        return Ok(channels);
    }
    let mut between = Activations::new(step.shape(x.shape)?, channels, pool);
    step.run(x, &mut between, 0, pool)?;
    let channels = run(then, &between, y, first, pool)?;
    pool.give(between.data);
    Ok(channels)
}

impl Step<Convolution> {
    /// The number of channels behind this step.
    fn channels(&self, inputs: usize) -> usize {
        match self {
            Step::Conv(conv) | Step::Averaged(conv) => conv.outputs(),
            Step::Fork(a, b) => a.outputs() + b.outputs(),
            Step::MaxPool { .. } => inputs,
        }
    }

    /// The shape behind this step.
    fn shape(&self, from: Shape) -> Result<Shape> {
        Ok(match self {
            Step::Conv(conv) | Step::Fork(conv, _) | Step::Averaged(conv) => conv.output(from)?,
            Step::MaxPool { stride, pad } => max_pool3_output(from, *stride, *pad)?,
        })
    }

    /// Runs the step, which writes its channels of `y`, from `first` on.
    fn run(
        &self,
        x: &Activations,
        y: &mut Activations,
        first: usize,
        pool: &mut BufferPool,
    ) -> Result<()> {
        match self {
            Step::Conv(conv) => conv.relu(x.view()?, y.part(first, conv.outputs())?)?,
            Step::Fork(a, b) => {
                a.relu(x.view()?, y.part(first, a.outputs())?)?;
                b.relu(x.view()?, y.part(first + a.outputs(), b.outputs())?)?;
            }
            Step::Averaged(conv) => {
                let mut sums = Activations::new(x.shape, conv.outputs(), pool);
                conv.linear(x.view()?, sums.part(0, conv.outputs())?)?;
                average_pool3(sums.view()?, conv.bias(), y.part(first, conv.outputs())?)?;
                pool.give(sums.data);
            }
            Step::MaxPool { stride, pad } => {
                max_pool3(x.view()?, y.part(first, x.channels)?, *stride, *pad)?;
            }
        }
        Ok(())
    }
}
