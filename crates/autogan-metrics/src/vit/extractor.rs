//! A [`Vit`] is a vision transformer as a [`FeatureExtractor`].

use std::path::Path;

use autogan_weights::{Archive, sha256_file};
use candle_core::{DType, Device, Tensor};

use super::VitPlan;
use super::input::Input;
use super::network::Network;
use crate::extractor::check_images;
use crate::{Extraction, FeatureExtractor, Result};

/// Images that run through the network together at most; larger batches are cut into equal pieces, so that memory does not
/// grow with the batch. An image of CLIP ViT-L/14 at 336 pixels holds 9.5 MB in its widest layer.
const CHUNK: usize = 8;

/// [`CHUNK`] on a GPU, which fewer images would not fill.
const GPU_CHUNK: usize = 64;

/// A vision transformer with its weights, which has features and no classes.
#[derive(Debug)]
pub struct Vit {
    plan: VitPlan,
    input: Input,
    network: Network,
    weights_sha256: Option<String>,
}

impl Vit {
    /// The network `plan` from tensors under the names of `transformers` (`Dinov2Model`, `CLIPModel`), or of Meta's
    /// `dinov2`; other tensors, such as those of CLIP's text tower, are ignored. It computes on `device`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape, or the file is of DINOv2 with registers.
    pub fn from_archive(weights: &Archive, plan: &VitPlan, device: &Device) -> Result<Self> {
        let network = Network::new(weights, plan, device)?;
        Ok(Self { plan: *plan, input: Input::new(plan), network, weights_sha256: None })
    }

    /// The network from a safetensors file or one that PyTorch wrote; the hash of the file is kept.
    ///
    /// # Errors
    /// As [`Vit::from_archive`], and when the file cannot be read.
    pub fn load(path: impl AsRef<Path>, plan: &VitPlan, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let mut vit = Self::from_archive(&Archive::read_any(path)?.unwrapped(), plan, device)?;
        vit.weights_sha256 = Some(sha256_file(path)?);
        Ok(vit)
    }

    /// The network's input `[N, 3, side, side]`, `f32`, on the CPU, of `images`, `u8` `[N, 3, H, W]`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] unless the images are `u8` `[N, 3, H, W]` without an empty axis.
    pub fn prepare(&self, images: &Tensor) -> Result<Tensor> {
        self.input.prepare(images)
    }
}

impl FeatureExtractor for Vit {
    fn name(&self) -> &str {
        self.plan.name
    }

    fn dims(&self) -> usize {
        self.plan.outputs
    }

    fn classes(&self) -> usize {
        0
    }

    fn weights_sha256(&self) -> Option<&str> {
        self.weights_sha256.as_deref()
    }

    fn extract(&self, images: &Tensor) -> Result<Extraction> {
        let (n, _, _) = check_images(images)?;
        let device = self.network.device();
        let most = if device.is_cpu() { CHUNK } else { GPU_CHUNK };
        let per = n.div_ceil(n.div_ceil(most));
        let piece = |start: usize| {
            let images = images.narrow(0, start, per.min(n - start))?.contiguous()?;
            self.network.forward(&self.prepare(&images)?.to_device(device)?)
        };
        let pieces = (0..n).step_by(per).map(piece).collect::<Result<Vec<_>>>()?;
        let logits = Tensor::zeros((n, 0), DType::F32, &Device::Cpu)?;
        Ok(Extraction { features: Tensor::cat(&pieces, 0)?, logits })
    }
}
