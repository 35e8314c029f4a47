//! A [`ResNet`] is one of CIFAR-10's residual networks: small, and made for images of 32x32 pixels.
//!
//! It is the network of He et al. 2015 (arXiv 1512.03385, section 4.2) in the form of `akamaster/pytorch_resnet_cifar10`:
//! three stages of 16, 32 and 64 channels at 32x32, 16x16 and 8x8 pixels, shortcuts without parameters (option A: every
//! second pixel, and channels of zeros on both sides), batch norms with epsilon 1e-5. The 64 features are the means over
//! the pixels; the logits are behind the last layer.
//!
//! Images of another size are resized bilinearly to 32x32, as [`ModuleInput`] does it; then they are divided by 255 and
//! normalised by ImageNet's mean and deviation, as in training there.

use std::path::Path;

use autogan_ops::{self as ops, ConvGeometry};
use autogan_weights::{Archive, sha256_file};
use candle_core::{D, Device, Tensor};
use rayon::prelude::*;

use crate::extractor::check_images;
use crate::tensors::NetworkTensors;
use crate::{Error, Extraction, FeatureExtractor, ModuleInput, Result};

/// Side of the images that the network sees.
const SIDE: usize = 32;

/// Channels of the three stages; the last are the features.
const WIDTHS: [usize; 3] = [16, 32, 64];

/// Number of logits.
const CLASSES: usize = 10;

/// Epsilon of the batch norms.
const BN_EPS: f64 = 1e-5;

/// Images that pass through the network together, so that activations stay in the cache; chunks run side by side.
const CHUNK: usize = 16;

/// [`CHUNK`] on a GPU, where chunks run one after the other: an activation is 67 MB then.
const GPU_CHUNK: usize = 1024;

/// A 3x3 convolution with its batch norm folded in.
#[derive(Debug)]
struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
}

impl Conv {
    fn geometry(&self) -> ConvGeometry {
        ConvGeometry { stride: self.stride, pad_h: 1, pad_w: 1 }
    }

    fn relu(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        ops::conv2d_relu(x, &self.weight, &self.bias, self.geometry())
    }

    fn linear(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        ops::conv2d_strided(x, &self.weight, Some(&self.bias), self.geometry())
    }
}

/// A residual network of 6n + 2 layers, in evaluation mode.
#[derive(Debug)]
pub struct ResNet {
    name: String,
    weights_sha256: Option<String>,
    input: ModuleInput,
    first: Conv,
    blocks: Vec<[Conv; 2]>,
    weight: Tensor,
    bias: Tensor,
}

impl ResNet {
    /// The network of `layers` layers (20, 32, 44, 56, …) from tensors under the names of `pytorch_resnet_cifar10`
    /// (`layer1.0.conv1.weight`). It is called `resnetLAYERS-cifar10` and computes on `device`.
    ///
    /// # Errors
    /// [`Error::Config`] unless `layers` is 6n + 2; when a tensor is missing or has another shape, or when there are
    /// blocks of a deeper network.
    pub fn from_archive(weights: &Archive, layers: usize, device: &Device) -> Result<Self> {
        if layers < 8 || layers % 6 != 2 {
            return Err(Error::config("layers", "6n + 2, such as 20 or 56", layers.to_string()));
        }
        let network = &format!("ResNet-{layers}");
        let tensors = NetworkTensors { archive: weights, network, device };
        let each = (layers - 2) / 6;
        check_depth(&tensors, each)?;
        let conv = |(conv, norm): (&str, &str), inputs, outputs, stride| {
            let (weight, bias) = tensors.folded((conv, norm), [outputs, inputs, 3, 3], BN_EPS)?;
            Ok::<_, Error>(Conv { weight, bias, stride })
        };
        let mut blocks = Vec::with_capacity(3 * each);
        let mut inputs = WIDTHS[0];
        for (stage, outputs) in (1..).zip(WIDTHS) {
            for i in 0..each {
                let part = |at: usize, inputs, stride| {
                    let names = ["conv", "bn"].map(|kind| format!("layer{stage}.{i}.{kind}{at}"));
                    conv((&names[0], &names[1]), inputs, outputs, stride)
                };
                let stride = if stage > 1 && i == 0 { 2 } else { 1 };
                blocks.push([part(1, inputs, stride)?, part(2, outputs, 1)?]);
                inputs = outputs;
            }
        }
        Ok(Self {
            name: format!("resnet{layers}-cifar10"),
            weights_sha256: None,
            input: ModuleInput::imagenet(SIDE, device),
            first: conv(("conv1", "bn1"), 3, WIDTHS[0], 1)?,
            blocks,
            weight: tensors.stored(&tensors.read("linear.weight", &[CLASSES, inputs])?)?,
            bias: tensors.stored(&tensors.read("linear.bias", &[CLASSES])?)?,
        })
    }

    /// The network from a file as `pytorch_resnet_cifar10` publishes it (a checkpoint with `state_dict`), or with the
    /// tensors alone; the hash of the file is kept.
    ///
    /// # Errors
    /// As [`ResNet::from_archive`], and when the file cannot be read.
    pub fn load(path: impl AsRef<Path>, layers: usize, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let file = Archive::read_any(path)?.unwrapped();
        let tensors = file.sub("state_dict").unwrap_or(file);
        let mut network = Self::from_archive(&tensors, layers, device)?;
        network.weights_sha256 = Some(sha256_file(path)?);
        Ok(network)
    }

    /// Features `[n, 64]` and logits `[n, 10]` of images (bytes).
    fn forward(&self, images: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut x = self.first.relu(&self.input.prepare(images)?)?;
        for [first, second] in &self.blocks {
            let inner = second.linear(&first.relu(&x)?)?;
            let shortcut = if first.stride == 1 { x } else { narrowed(&x)? };
            x = ops::relu(&ops::add(&inner, &shortcut)?)?;
        }
        let features = ops::avg_pool_global(&x)?;
        let logits = ops::linear(&features, &self.weight, Some(&self.bias))?;
        Ok((features, logits))
    }
}

/// The shortcut into the next stage: every second pixel, and half as many channels of zeros on either side.
fn narrowed(x: &Tensor) -> candle_core::Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let pairs = x.reshape((n, c, h / 2, 2, w / 2, 2))?;
    let pixels = pairs.narrow(3, 0, 1)?.narrow(D::Minus1, 0, 1)?.contiguous()?;
    pixels.reshape((n, c, h / 2, w / 2))?.pad_with_zeros(1, c / 2, c / 2)
}

/// Refuses a deeper network, of which only the first blocks would be taken.
fn check_depth(tensors: &NetworkTensors<'_>, each: usize) -> Result<()> {
    let next = format!("layer1.{each}.");
    match tensors.archive.names().find(|name| name.starts_with(&next)) {
        None => Ok(()),
        Some(name) => Err(Error::shape(
            format!("weights of {}", tensors.network),
            format!("{each} blocks in each stage"),
            format!("a deeper network, with {name}"),
        )),
    }
}

impl FeatureExtractor for ResNet {
    fn name(&self) -> &str {
        &self.name
    }

    fn dims(&self) -> usize {
        WIDTHS[2]
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn weights_sha256(&self) -> Option<&str> {
        self.weights_sha256.as_deref()
    }

    fn extract(&self, images: &Tensor) -> Result<Extraction> {
        let (n, _, _) = check_images(images)?;
        let device = self.bias.device();
        let images = images.to_device(device)?;
        let chunk = if device.is_cpu() { CHUNK } else { GPU_CHUNK };
        let part = |start: usize| self.forward(&images.narrow(0, start, chunk.min(n - start))?);
        let starts: Vec<usize> = (0..n).step_by(chunk).collect();
        let parts: Vec<(Tensor, Tensor)> = match device {
            Device::Cpu => starts.into_par_iter().map(part).collect::<Result<_>>()?,
            _ => starts.into_iter().map(part).collect::<Result<_>>()?,
        };
        let (features, logits): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        Ok(Extraction { features: Tensor::cat(&features, 0)?, logits: Tensor::cat(&logits, 0)? })
    }
}
