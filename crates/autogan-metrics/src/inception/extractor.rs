//! [`InceptionV3`] is the network as a [`FeatureExtractor`]: it turns images into features and logits.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use autogan_weights::{Archive, sha256_file};
use candle_core::{DType, Device, Tensor};

use super::evaluate::BufferPool;
use super::network::Network;
use super::weights::other_network;
use super::{CLASSES, Preset};
use crate::extractor::check_images;
use crate::{Error, Extraction, FeatureExtractor, Result};

/// Images that run through the network together at most; larger batches are cut into equal pieces, so
/// that memory does not grow with the batch.
const CHUNK: usize = 16;

/// [`CHUNK`] on a GPU, whose units fewer images would not fill. The largest layers hold 9.4 MB for
/// an image (input, one activation and the next: 3x299x299, 32x147x147 and 64x147x147), so a GPU
/// needs 0.6 GB, and 0.1 GB for the weights; cuDNN may take up to 1 GiB more.
const GPU_CHUNK: usize = 64;

/// Channels that the spatial features take.
pub(super) const SPATIAL_CHANNELS: usize = 7;

/// Places where the network can be read, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tap {
    /// Behind the first max pool, averaged over pixels: `[N, 64]`.
    D64,
    /// Behind the second max pool, averaged over pixels: `[N, 192]`.
    D192,
    /// The first 7 channels of TensorFlow's `mixed_6/conv` (`Mixed_6d.branch1x1`), not averaged, the features of sFID:
    /// `[N, 17 · 17 · 7]`, rows, columns, then channels, as ADM's evaluator lays them out.
    Spatial,
    /// Before the last reduction, averaged over pixels: `[N, 768]`.
    D768,
    /// The last average pool, the features of FID: `[N, 2048]`.
    D2048,
    /// Logits without the bias, those of the Inception Score: `[N, 1008]`.
    LogitsUnbiased,
    /// Logits: `[N, 1008]`.
    Logits,
}

impl Tap {
    /// The number of columns at this tap.
    #[must_use]
    pub fn dims(self) -> usize {
        match self {
            Tap::D64 => 64,
            Tap::D192 => 192,
            Tap::Spatial => 17 * 17 * SPATIAL_CHANNELS,
            Tap::D768 => 768,
            Tap::D2048 => 2048,
            Tap::LogitsUnbiased | Tap::Logits => CLASSES,
        }
    }
}

impl FromStr for Tap {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "64" => Ok(Tap::D64),
            "192" => Ok(Tap::D192),
            "spatial" => Ok(Tap::Spatial),
            "768" => Ok(Tap::D768),
            "2048" => Ok(Tap::D2048),
            other => Err(wrong_dims(other)),
        }
    }
}

fn wrong_dims(found: &str) -> Error {
    Error::config("dims", "64, 192, 768, 2048 or spatial", found)
}

/// Inception-v3 with one preset, reading features at one tap.
pub struct InceptionV3 {
    network: Network,
    preset: Preset,
    features: Tap,
    name: String,
    weights_sha256: Option<String>,
}

impl fmt::Debug for InceptionV3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InceptionV3")
            .field("name", &self.name)
            .field("weights_sha256", &self.weights_sha256)
            .finish_non_exhaustive()
    }
}

impl InceptionV3 {
    /// The network from tensors under the names of [`super::tensor_shapes`]; others, such as `num_batches_tracked`, are
    /// ignored. `features` is the tap that FID and KID read, usually [`Tap::D2048`]. It computes on `device`: on the
    /// CPU with the channels last, on a GPU as [`InceptionV3::by_operators`].
    ///
    /// # Errors
    /// When a tensor is missing or has another shape; [`Error::Config`] for a tap of logits.
    pub fn from_archive(
        weights: &Archive,
        preset: Preset,
        features: Tap,
        device: &Device,
    ) -> Result<Self> {
        if !device.is_cpu() {
            return Self::by_operators(weights, preset, features, device);
        }
        Self::with(|| Network::packed(weights), preset, features)
    }

    /// The network of [`InceptionV3::from_archive`] operator by operator, as a GPU runs it, on any device: images are
    /// resized, convolved and pooled by `autogan-ops`. On the CPU it is slow; the faster form is checked against it.
    ///
    /// # Errors
    /// As [`InceptionV3::from_archive`].
    pub fn by_operators(
        weights: &Archive,
        preset: Preset,
        features: Tap,
        device: &Device,
    ) -> Result<Self> {
        Self::with(|| Network::plain(weights, device), preset, features)
    }

    fn with(
        network: impl FnOnce() -> Result<Network>,
        preset: Preset,
        features: Tap,
    ) -> Result<Self> {
        let name = match features {
            Tap::D2048 => preset.extractor_name(),
            Tap::LogitsUnbiased | Tap::Logits => return Err(wrong_dims("logits")),
            Tap::Spatial => format!("{}-spatial", preset.extractor_name()),
            other => format!("{}-{}", preset.extractor_name(), other.dims()),
        };
        Ok(InceptionV3 { network: network()?, preset, features, name, weights_sha256: None })
    }

    /// The network from a safetensors or `.pth` file; the hash of the file is kept.
    ///
    /// # Errors
    /// As [`InceptionV3::from_archive`], and when the file cannot be read.
    pub fn load(
        path: impl AsRef<Path>,
        preset: Preset,
        features: Tap,
        device: &Device,
    ) -> Result<Self> {
        let path = path.as_ref();
        let weights = Archive::read_any(path)?.unwrapped();
        if let Some(found) = other_network(&weights) {
            return Err(Error::Input {
                input: path.display().to_string(),
                expected: "the Inception network of FID, of 1008 classes".into(),
                found,
                help: "give the weights that FID is computed with".into(),
            });
        }
        let mut extractor = Self::from_archive(&weights, preset, features, device)?;
        extractor.weights_sha256 = Some(sha256_file(path)?);
        Ok(extractor)
    }

    /// Values at some taps, `f32 [N, dims]` each on the network's device, of `images` `u8 [N, 3, H, W]` of any size, on
    /// the CPU or on the network's device, to which they are brought once. Layers behind the last of the taps are not
    /// run.
    ///
    /// # Errors
    /// As [`FeatureExtractor::extract`].
    pub fn taps(&self, images: &Tensor, taps: &[Tap]) -> Result<Vec<Tensor>> {
        let (n, _, _) = check_images(images)?;
        let device = self.network.device();
        // All images move at once: a part of a tensor would take the whole of it along.
        let resized_on = if self.preset == Preset::Clean { &Device::Cpu } else { device };
        let images = images.to_device(resized_on)?;
        let mut pieces: Vec<Vec<Tensor>> = vec![Vec::new(); taps.len()];
        let most = if device.is_cpu() { CHUNK } else { GPU_CHUNK };
        let per = n.div_ceil(n.div_ceil(most));
        let mut pool = BufferPool::default();
        for start in (0..n).step_by(per) {
            let images = images.narrow(0, start, per.min(n - start))?;
            let input = self.preset.prepare(&images, device)?;
            let values = self.network.forward(&input, taps, &mut pool)?;
            pieces.iter_mut().zip(values).for_each(|(p, v)| p.push(v));
        }
        pieces.iter().map(|p| Ok(Tensor::cat(p, 0)?)).collect()
    }
}

impl FeatureExtractor for InceptionV3 {
    fn name(&self) -> &str {
        &self.name
    }

    fn dims(&self) -> usize {
        self.features.dims()
    }

    fn classes(&self) -> usize {
        if self.features == Tap::Spatial { 0 } else { CLASSES }
    }

    fn weights_sha256(&self) -> Option<&str> {
        self.weights_sha256.as_deref()
    }

    /// Features at the chosen tap, and the logits without bias, which the Inception Score takes. Behind the spatial
    /// features nothing is run, so that there are no logits.
    fn extract(&self, images: &Tensor) -> Result<Extraction> {
        if self.features == Tap::Spatial {
            let features = self.taps(images, &[Tap::Spatial])?.swap_remove(0);
            let logits = Tensor::zeros((features.dim(0)?, 0), DType::F32, &Device::Cpu)?;
            return Ok(Extraction { features, logits });
        }
        let values = self.taps(images, &[self.features, Tap::LogitsUnbiased])?;
        Ok(Extraction { features: values[0].clone(), logits: values[1].clone() })
    }
}
