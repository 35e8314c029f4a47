//! [`StageImages`] gives real images as tensors, in batches; [`to_u8`] turns fakes into the bytes that scorers take.

use std::borrow::Cow;

use autogan_data::{Batcher, Images};
use autogan_ops::{self as ops, floats_to_bytes};
use candle_core::{Device, Tensor};

use crate::error::Result;

/// The training images at one stage's side, in shuffled epochs.
pub(crate) struct StageImages {
    images: Images,
    batcher: Batcher,
}

impl StageImages {
    /// The images at `side`, in batches of `batch` whose order follows from `seed`.
    pub fn new(images: &Images, side: usize, batch: usize, seed: u64) -> Result<Self> {
        let images = match images.resize(side)? {
            Cow::Owned(resized) => resized,
            Cow::Borrowed(same) => same.clone(),
        };
        let batcher = Batcher::new(images.len(), batch, seed)?;
        Ok(Self { images, batcher })
    }

    /// Batches of one epoch; the last may be short.
    pub fn batches(&self) -> u64 {
        self.batcher.batches_per_epoch() as u64
    }

    /// Batch `step`, counted over all epochs: `[n, 3, side, side]` in [-1, 1].
    pub fn batch(&mut self, step: u64, device: &Device) -> Result<Tensor> {
        let side = self.images.side();
        let indices = self.batcher.at(step);
        let pixels = self.images.gather_f32(indices)?;
        Ok(ops::upload(pixels, (indices.len(), 3, side, side), device)?)
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// The images themselves.
    pub fn all(&self) -> &Images {
        &self.images
    }

    /// The images in the shuffled order of an epoch that training never sees.
    pub fn held_order(&self, seed: u64) -> Vec<usize> {
        autogan_data::batch::epoch_order(self.images.len(), seed, u64::MAX)
    }

    /// The images at `indices`, u8 `[n, 3, side, side]`.
    pub fn at_u8(&self, indices: &[usize]) -> Result<Tensor> {
        let mut pixels = vec![0; indices.len() * self.images.image_len()];
        self.images.fill_u8(indices, &mut pixels)?;
        let side = self.images.side();
        Ok(Tensor::from_vec(pixels, (indices.len(), 3, side, side), &Device::Cpu)?)
    }

    /// The first `n` images in [`Self::held_order`], u8 `[n, 3, side, side]`; again from the start where there are
    /// fewer.
    pub fn sample_u8(&self, n: usize, seed: u64) -> Result<Tensor> {
        let order = self.held_order(seed);
        let indices: Vec<usize> = order.iter().copied().cycle().take(n).collect();
        self.at_u8(&indices)
    }

    /// The images that are not among the `n` of [`Self::sample_u8`], in the same order.
    pub fn others_u8(&self, n: usize, seed: u64) -> Result<Tensor> {
        let order = self.held_order(seed);
        self.at_u8(order.get(n..).unwrap_or_default())
    }
}

/// Images in [-1, 1] as u8, where they are: cut off (not rounded) after scaling to 0..=255, as the released code does.
/// No gradient passes.
///
/// # Errors
/// When the images are not f32.
pub fn to_u8(images: &Tensor) -> Result<Tensor> {
    Ok(floats_to_bytes(&images.detach())?)
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    #[test]
    fn fakes_are_cut_off_not_rounded() {
        // A trained generator's images are part of candle's graph.
        let x = Var::new(&[-1.0f32, -0.999, 0.0, 0.999, 1.0, 2.0], &Device::Cpu).unwrap();
        // 127.5 -> 127 and 254.87 -> 254: rounding would give 128 and 255.
        assert_eq!(to_u8(&x).unwrap().to_vec1::<u8>().unwrap(), [0, 0, 127, 254, 255, 255]);
    }
}
