//! The network has three blocks of two 3x3 convolutions at 16x16, 8x8 and 4x4, the second of each block on a residual
//! path; then come the mean over the pixels (the features) and a linear layer.
//!
//! ```text
//! h = relu(bn(conv(x)));  h = h + relu(bn(conv(h)));  2x2 average between blocks
//! ```
//!
//! The weight file holds convolutions without bias and their batch norms, which are folded when it
//! is loaded. The widths follow from the shapes in the file.

use std::path::Path;

use autogan_files::{Sha256, sha256_file};
use autogan_ops as ops;
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::input::network_input;
use super::variables::{ConvVars, Variables};
use crate::extractor::check_images;
use crate::{Error, Extraction, FeatureExtractor, Result};

/// Epsilon of the batch norms.
pub const BN_EPS: f64 = 1e-5;

/// Images that pass through the network together, so that activations stay in the cache; chunks
/// run side by side.
const CHUNK: usize = 16;

/// [`CHUNK`] on a GPU, where chunks run one after the other: an activation at 16x16 with 48
/// channels is 50 MB then, and four are held at most.
const GPU_CHUNK: usize = 1024;

/// A convolution with its batch norm folded in.
#[derive(Debug)]
struct FoldedConv {
    weight: Tensor,
    bias: Tensor,
}

impl FoldedConv {
    fn new(conv: &ConvVars, device: &Device) -> candle_core::Result<Self> {
        let std = (conv.var.as_tensor() + BN_EPS)?.sqrt()?;
        let scale = (conv.scale.as_tensor() / std)?;
        let bias = (conv.shift.as_tensor() - (conv.mean.as_tensor() * &scale)?)?;
        let weight = conv.weight.broadcast_mul(&scale.reshape(((), 1, 1, 1))?)?;
        Ok(Self { weight: stored(&weight, device)?, bias: stored(&bias, device)? })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        ops::relu(&ops::conv2d(x, &self.weight, Some(&self.bias))?)
    }
}

/// A trained compact classifier, ready for inference on its device.
#[derive(Debug)]
pub struct CompactClassifier {
    name: String,
    weights_sha256: Option<String>,
    convs: Vec<FoldedConv>,
    weight: Tensor,
    bias: Tensor,
}

impl CompactClassifier {
    /// `compact-shapes`, for the embedded dataset, from the embedded weights.
    ///
    /// # Errors
    /// When the embedded weights do not fit the network, which a test rules out, or `device` cannot hold them.
    pub fn shapes(device: &Device) -> Result<Self> {
        let bytes = include_bytes!("../../scorers/compact-shapes.safetensors");
        Self::embedded(super::EMBEDDED[0], bytes, device)
    }

    /// `compact-cifar10`, for CIFAR-10, from the embedded weights.
    ///
    /// # Errors
    /// When the embedded weights do not fit the network, which a test rules out, or `device` cannot hold them.
    pub fn cifar10(device: &Device) -> Result<Self> {
        let bytes = include_bytes!("../../scorers/compact-cifar10.safetensors");
        Self::embedded(super::EMBEDDED[1], bytes, device)
    }

    fn embedded(name: &str, bytes: &[u8], device: &Device) -> Result<Self> {
        let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?;
        let mut classifier = Self::from_archive(name, &tensors.into_iter().collect(), device)?;
        classifier.weights_sha256 = Some(Sha256::of(bytes));
        Ok(classifier)
    }

    /// A classifier from a safetensors file as the training of this project writes it; its name is
    /// the metadata entry `name`.
    ///
    /// # Errors
    /// When the file cannot be read, has no name, or does not fit the network.
    pub fn from_file(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let archive = Archive::read_safetensors(path.as_ref())?;
        let name = archive.metadata().get("name").ok_or_else(|| {
            let what = format!("metadata of {}", path.as_ref().display());
            let found = format!("{} other entries", archive.metadata().len());
            Error::shape(what, "an entry `name`, as train-scorer writes it", found)
        })?;
        let mut classifier = Self::from_archive(name, &archive, device)?;
        classifier.weights_sha256 = Some(sha256_file(path)?);
        Ok(classifier)
    }

    /// A classifier called `name` from named tensors of any float type on the CPU. It computes on `device`.
    ///
    /// # Errors
    /// When a tensor is missing, unexpected or of another shape than the network needs; all of them are named.
    pub fn from_archive(name: &str, archive: &Archive, device: &Device) -> Result<Self> {
        let Variables { convs, weight, bias, .. } = Variables::from_archive(archive)?;
        let channels = convs.iter().map(|conv| conv.scale.elem_count());
        if weight.dims()[0] < 2 || channels.clone().any(|n| n == 0) {
            let channels: Vec<usize> = channels.collect();
            let found = format!("{} classes, channels {channels:?}", weight.dims()[0]);
            let expected = "2 or more classes, and channels in every block";
            return Err(Error::shape("the scorer's weights", expected, found));
        }
        let convs = convs.iter().map(|conv| FoldedConv::new(conv, device));
        Ok(Self {
            name: name.into(),
            weights_sha256: None,
            convs: convs.collect::<candle_core::Result<_>>()?,
            weight: stored(&weight, device)?,
            bias: stored(&bias, device)?,
        })
    }

    /// Features and logits of images (bytes), at most `chunk` images at a time; on the CPU, chunks run side by side.
    fn in_chunks(&self, images: &Tensor, chunk: usize) -> Result<Vec<(Tensor, Tensor)>> {
        let (n, _, _) = check_images(images)?;
        let images = images.to_device(self.bias.device())?;
        let part = |start: usize| {
            let part = images.narrow(0, start, chunk.min(n - start))?;
            Ok(self.forward(&network_input(&part)?)?)
        };
        let starts: Vec<usize> = (0..n).step_by(chunk).collect();
        match self.bias.device() {
            Device::Cpu => starts.into_par_iter().map(part).collect(),
            _ => starts.into_iter().map(part).collect(),
        }
    }

    /// Features `[N, D]` and logits `[N, K]` of an input `[N, 12, 16, 16]`.
    fn forward(&self, input: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
        let mut x = input.clone();
        for (i, block) in self.convs.chunks_exact(2).enumerate() {
            if i > 0 {
                x = ops::avg_pool2(&x)?;
            }
            x = block[0].forward(&x)?;
            x = ops::add(&x, &block[1].forward(&x)?)?;
        }
        let features = ops::avg_pool_global(&x)?;
        let logits = ops::linear(&features, &self.weight, Some(&self.bias))?;
        Ok((features, logits))
    }
}

impl FeatureExtractor for CompactClassifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn dims(&self) -> usize {
        self.weight.dims()[1]
    }

    fn classes(&self) -> usize {
        self.bias.elem_count()
    }

    fn weights_sha256(&self) -> Option<&str> {
        self.weights_sha256.as_deref()
    }

    fn extract(&self, images: &Tensor) -> Result<Extraction> {
        let chunk = if self.bias.device().is_cpu() { CHUNK } else { GPU_CHUNK };
        let parts = self.in_chunks(images, chunk)?;
        let (features, logits): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        Ok(Extraction { features: Tensor::cat(&features, 0)?, logits: Tensor::cat(&logits, 0)? })
    }
}

/// A constant of the network, rounded to F32.
fn stored(value: &Tensor, device: &Device) -> candle_core::Result<Tensor> {
    value.detach().to_dtype(DType::F32)?.to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_of_another_size_give_the_same() {
        let scorer = CompactClassifier::cifar10(&Device::Cpu).unwrap();
        for side in [16, 32] {
            let bytes = (0..20 * 3 * side * side).map(|i| (i * i * 31 % 253) as u8);
            let bytes = bytes.collect::<Vec<u8>>();
            let images = Tensor::from_vec(bytes, (20, 3, side, side), &Device::Cpu).unwrap();
            let expected = scorer.extract(&images).unwrap();
            let parts = scorer.in_chunks(&images, 7).unwrap();
            let (features, logits): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            for (found, expected) in [(features, expected.features), (logits, expected.logits)] {
                let found = Tensor::cat(&found, 0).unwrap();
                assert_eq!(found.dims(), expected.dims());
                let gap = (&found - &expected).unwrap().abs().unwrap().max_all().unwrap();
                let size = expected.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(gap.to_scalar::<f32>().unwrap() <= 1e-6 * size, "{side}: {gap}");
            }
        }
    }
}
