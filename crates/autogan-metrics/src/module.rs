//! A [`ModuleExtractor`] makes any candle module a feature extractor.

use autogan_ops::{PixelScale, ResizeRule, bytes_to_floats, resize_bilinear};
use candle_core::{DType, Device, Module, Tensor};

use crate::extractor::check_images;
use crate::{Error, Extraction, FeatureExtractor, Result};

/// Mean and deviation of red, green and blue in ImageNet, of values in [0, 1], as torchvision has them.
pub(crate) const IMAGENET: ([f64; 3], [f64; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

/// The rules by which images become the input `[N, 3, height, width]`, `f32`, of a module.
#[derive(Debug, Clone)]
pub struct ModuleInput {
    /// Height and width. Images of another size are resized bilinearly with half-pixel centres and without antialiasing,
    /// as PyTorch's `interpolate(align_corners=False)` does.
    pub size: (usize, usize),
    /// The values that bytes 0 and 255 become first, such as (0, 1) or (-1, 1).
    pub range: (f64, f64),
    /// What is then subtracted from red, green and blue.
    pub mean: [f64; 3],
    /// What red, green and blue are then divided by.
    pub std: [f64; 3],
    /// The device on which the module computes.
    pub device: Device,
}

impl ModuleInput {
    /// Square images of side `side` in `range`, not normalised further.
    pub fn plain(side: usize, range: (f64, f64), device: &Device) -> Self {
        let (size, device) = ((side, side), device.clone());
        Self { size, range, mean: [0.0; 3], std: [1.0; 3], device }
    }

    /// Square images of side `side` in [0, 1], normalised by mean and deviation of ImageNet, as torchvision's networks
    /// want them.
    pub fn imagenet(side: usize, device: &Device) -> Self {
        let (mean, std) = IMAGENET;
        Self { mean, std, ..Self::plain(side, (0.0, 1.0), device) }
    }

    /// The module's input for `images`, `u8` `[N, 3, H, W]`.
    pub(crate) fn prepare(&self, images: &Tensor) -> Result<Tensor> {
        let (_, h, w) = check_images(images)?;
        let images = images.to_device(&self.device)?;
        let unit = if (h, w) == self.size {
            bytes_to_floats(&images, 0.0, 255.0)?
        } else {
            let pixels = PixelScale { divide: 255.0, ..PixelScale::NONE };
            resize_bilinear(&images, self.size, ResizeRule::HalfPixel, pixels)?
        };
        let (low, high) = self.range;
        let channels = |value: &dyn Fn(usize) -> f64| {
            let values: Vec<f32> = (0..3).map(|c| value(c) as f32).collect();
            Tensor::from_vec(values, (1, 3, 1, 1), &self.device)
        };
        let scale = channels(&|c| (high - low) / self.std[c])?;
        let shift = channels(&|c| (low - self.mean[c]) / self.std[c])?;
        Ok(unit.broadcast_mul(&scale)?.broadcast_add(&shift)?)
    }
}

/// A module that maps its input to features `[N, D]`, and optionally a second one that maps features to logits `[N, K]`.
///
/// A closure `Fn(&Tensor) -> candle_core::Result<Tensor>` is a module, too. The module must treat each image alone: a
/// batch norm has to use its running statistics.
pub struct ModuleExtractor<M> {
    name: String,
    module: M,
    head: Option<Box<dyn Module + Send + Sync>>,
    input: ModuleInput,
    dims: usize,
    classes: usize,
}

impl<M> std::fmt::Debug for ModuleExtractor<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, input, dims, classes, .. } = self;
        f.debug_struct("ModuleExtractor")
            .field("name", name)
            .field("input", input)
            .field("dims", dims)
            .field("classes", classes)
            .finish_non_exhaustive()
    }
}

impl<M: Module + Send + Sync> ModuleExtractor<M> {
    /// An extractor without classes. `name` labels every score made with it; it should stand for the weights and for the
    /// whole of `input`. The module runs once on a black image, which shows how many features there are.
    ///
    /// # Errors
    /// When the module fails, or its result is not `[N, D]`.
    pub fn new(name: impl Into<String>, module: M, input: ModuleInput) -> Result<Self> {
        let name = name.into();
        let mut extractor = Self { name, module, head: None, input, dims: 0, classes: 0 };
        extractor.dims = columns("features", &extractor.probe()?)?;
        Ok(extractor)
    }

    /// The same extractor with logits, for the Inception Score: `head` maps features `[N, D]` to logits `[N, K]`.
    ///
    /// # Errors
    /// When `head` fails, or its result is not `[N, K]`.
    pub fn with_logits(mut self, head: impl Module + Send + Sync + 'static) -> Result<Self> {
        self.classes = columns("logits", &head.forward(&self.probe()?)?)?;
        self.head = Some(Box::new(head));
        Ok(self)
    }

    /// The module's result for one black image.
    fn probe(&self) -> Result<Tensor> {
        let (h, w) = self.input.size;
        let black = Tensor::zeros((1, 3, h, w), DType::U8, &Device::Cpu)?;
        Ok(self.module.forward(&self.input.prepare(&black)?)?)
    }
}

/// The columns of a result for one image.
fn columns(what: &str, result: &Tensor) -> Result<usize> {
    match result.dims() {
        &[1, columns] if columns > 0 => Ok(columns),
        found => Err(Error::shape(
            format!("{what} of one image"),
            "[1, columns]; flatten or pool the module's result",
            format!("{found:?}"),
        )),
    }
}

impl<M: Module + Send + Sync> FeatureExtractor for ModuleExtractor<M> {
    fn name(&self) -> &str {
        &self.name
    }

    fn dims(&self) -> usize {
        self.dims
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn extract(&self, images: &Tensor) -> Result<Extraction> {
        let features = self.module.forward(&self.input.prepare(images)?)?.detach();
        let logits = match &self.head {
            Some(head) => head.forward(&features)?.detach().to_dtype(DType::F32)?,
            None => Tensor::zeros((images.dim(0)?, 0), DType::F32, &Device::Cpu)?,
        };
        Ok(Extraction { features: features.to_dtype(DType::F32)?, logits })
    }
}
