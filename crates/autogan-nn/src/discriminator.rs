//! The discriminator (section 3.2) has fixed residual blocks under spectral norm: more run as the generator grows.
//!
//! Block 1: convolution, ReLU, convolution, pooling, plus a 1x1 convolution of the pooled image. Block 2: ReLU,
//! convolution, ReLU, convolution, pooling, plus a pooled 1x1 convolution. Blocks 3 and 4: ReLU, convolution, ReLU,
//! convolution, plus the input. Stage s runs blocks 1 to s+1, then block 4, ReLU, the *sum* over pixels and a linear
//! layer without bias. Pooling is the 2x2 average; it commutes with a 1x1 convolution, so block 2 pools first.

use autogan_ops::{self as ops, Before, Resize};
use autogan_space::MAX_CELLS;
use autogan_weights::{Params, ParamsBuilder};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use rand::Rng;
use rayon::prelude::*;

use crate::bound::BoundDiscriminator;
use crate::layers::{SpectralConv, SpectralLinear, SpectralWeight, Vectors};
use crate::{DiscriminatorInit, Grad, NnError, Result};

/// The sizes of a discriminator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscriminatorConfig {
    /// Channels of every block (`df`).
    pub width: usize,
    /// The initial values of the convolutions.
    pub init: DiscriminatorInit,
    /// Power iterations of spectral norm that follow the initial values.
    pub warm_up: usize,
}

/// The mode of spectral norm in one forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DMode {
    /// Spectral norm does one power iteration first, whose vectors are kept.
    Train,
    /// Spectral norm uses the kept vectors.
    Eval,
}

/// The stage of one forward pass and the vectors of spectral norm that it uses, from [`Discriminator::prepare`].
#[derive(Debug, Clone)]
pub struct PreparedPass {
    stage: usize,
    /// The vectors of each weight, in the order of [`Discriminator::weights`].
    vectors: Vec<Vectors>,
}

/// The discriminator, with all its blocks at every stage.
#[derive(Debug)]
pub struct Discriminator {
    config: DiscriminatorConfig,
    growing: [Block; MAX_CELLS],
    last: Block,
    linear: SpectralLinear,
    params: Params,
}

impl Discriminator {
    /// A discriminator with initial values.
    ///
    /// # Errors
    /// When the width is zero or `dtype` is neither f32 nor f64.
    pub fn new(
        config: &DiscriminatorConfig,
        rng: &mut (impl Rng + ?Sized),
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let net = Self::build(config, dtype, device)?;
        net.reset(rng)?;
        Ok(net)
    }

    /// A discriminator with the values that `vb` holds, in tensors of its own. Element type and device are those of `vb`.
    ///
    /// # Errors
    /// When the width is zero or the element type is neither F32 nor F64; when a tensor is missing or has another shape
    /// ([`autogan_weights::Error::Mismatch`] names all of them).
    pub fn from_var_builder(config: &DiscriminatorConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let net = Self::build(config, vb.dtype(), vb.device())?;
        net.params.load_var_builder(vb, str::to_owned)?;
        Ok(net)
    }

    /// This discriminator at a stage (from 0) with a mode, as a candle module from images to scores.
    pub fn at(&self, stage: usize, mode: DMode) -> BoundDiscriminator<'_> {
        BoundDiscriminator { discriminator: self, stage, mode, grad: Grad::Tracked }
    }

    /// Scores `[N, 1]` of images `[N, 3, S, S]` at a stage (from 0), with gradients to the parameters.
    ///
    /// # Errors
    /// When the stage does not exist or the images have another shape.
    pub fn forward(&self, x: &Tensor, stage: usize, mode: DMode) -> Result<Tensor> {
        self.pass(x, stage, mode, Grad::Tracked)
    }

    /// Prepares forward passes at a stage, one for each mode, in the order in which they would run. The passes
    /// themselves ([`Self::forward_prepared`]) may then run in any order, or at the same time.
    ///
    /// # Errors
    /// When the stage does not exist.
    pub fn prepare(&self, stage: usize, modes: &[DMode]) -> Result<Vec<PreparedPass>> {
        self.check_stage(stage)?;
        let layers = self.for_weights(stage, |weight| weight.vectors(modes))?;
        let mut passes = vec![PreparedPass { stage, vectors: Vec::new() }; modes.len()];
        for layer in layers {
            for (pass, vectors) in passes.iter_mut().zip(layer) {
                pass.vectors.push(vectors);
            }
        }
        Ok(passes)
    }

    /// Runs a pass that [`Self::prepare`] has prepared; otherwise as [`Self::forward`].
    ///
    /// # Errors
    /// When the images have another shape, or `prepared` is of a discriminator of other sizes.
    pub fn forward_prepared(&self, x: &Tensor, prepared: &PreparedPass) -> Result<Tensor> {
        self.run(x, prepared, Grad::Tracked)
    }

    /// [`Self::forward`] with the parameters as constants, for the generator's training step: only the
    /// images receive gradients.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_frozen(&self, x: &Tensor, stage: usize, mode: DMode) -> Result<Tensor> {
        self.pass(x, stage, mode, Grad::Frozen)
    }

    /// The sizes.
    pub fn config(&self) -> &DiscriminatorConfig {
        &self.config
    }

    /// The named tensors.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Draws every tensor anew in place, as at construction.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn reset(&self, rng: &mut (impl Rng + ?Sized)) -> Result<()> {
        self.params.reset(rng)?;
        let warm_up = |weight: &SpectralWeight| weight.warm_up(self.config.warm_up);
        self.for_weights(self.growing.len() - 1, warm_up)?;
        Ok(())
    }

    /// A discriminator whose tensors are all zero, to be loaded.
    pub(crate) fn build(
        config: &DiscriminatorConfig,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let width = config.width;
        if width == 0 {
            return Err(NnError::zero("width"));
        }
        let mut builder = ParamsBuilder::new(dtype, device)?;
        let mut block =
            |name, c_in, kind| Block::new(&mut builder, name, (c_in, width), kind, config.init);
        let growing = [
            block("block1", 3, Kind::Image)?,
            block("block2", width, Kind::Halving)?,
            block("block3", width, Kind::Plain)?,
        ];
        let last = block("block4", width, Kind::Plain)?;
        Ok(Self {
            config: config.clone(),
            growing,
            last,
            linear: SpectralLinear::new(&mut builder, "l5", width, 1)?,
            params: builder.finish_by_name(),
        })
    }

    /// The weights of a stage, block by block.
    fn weights(&self, stage: usize) -> Vec<&SpectralWeight> {
        self.blocks(stage).flat_map(Block::weights).chain([&self.linear.weight]).collect()
    }

    /// Calls `f` on each weight of a stage; on the CPU, at the same time.
    fn for_weights<R: Send>(
        &self,
        stage: usize,
        f: impl Fn(&SpectralWeight) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let weights = self.weights(stage);
        match self.params.device() {
            Device::Cpu => weights.par_iter().map(|weight| f(weight)).collect(),
            // Launches queue up one after the other, whichever thread asks for them.
            _ => weights.into_iter().map(f).collect(),
        }
    }

    fn blocks(&self, stage: usize) -> impl Iterator<Item = &Block> {
        self.growing[..=stage].iter().chain([&self.last])
    }

    fn check_stage(&self, stage: usize) -> Result<()> {
        if stage >= self.growing.len() {
            return Err(NnError::Stage { last: self.growing.len() - 1, found: stage });
        }
        Ok(())
    }

    fn check_images(&self, x: &Tensor, stage: usize) -> Result<()> {
        // Blocks 1 and 2 halve the side.
        let divisor = if stage == 0 { 2 } else { 4 };
        match x.dims() {
            [_, 3, h, w] if h % divisor == 0 && w % divisor == 0 && *h > 0 && *w > 0 => Ok(()),
            found => {
                let expected = format!("[N, 3, H, W], H and W multiples of {divisor}");
                Err(NnError::Shape { what: "images", expected, found: found.to_vec() })
            }
        }
    }

    pub(crate) fn pass(&self, x: &Tensor, stage: usize, mode: DMode, grad: Grad) -> Result<Tensor> {
        self.check_stage(stage)?;
        // Before a power iteration, which is kept.
        self.check_images(x, stage)?;
        let prepared = self.prepare(stage, &[mode])?;
        self.run(x, &prepared[0], grad)
    }

    fn run(&self, x: &Tensor, prepared: &PreparedPass, grad: Grad) -> Result<Tensor> {
        let stage = prepared.stage;
        self.check_images(x, stage)?;
        let mut left = prepared.vectors.as_slice();
        let mut h = x.clone();
        for block in self.blocks(stage) {
            let (own, others) = left.split_at(block.weights().count());
            (h, left) = (block.forward(&h, own, grad)?, others);
        }
        self.linear.forward(&ops::sum_pool(&ops::relu(&h)?)?, &left[0], grad)
    }
}

/// The three kinds of residual block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It reads the image, has no ReLU first, and halves the side.
    Image,
    /// It halves the side.
    Halving,
    /// It keeps the side, and its shortcut is the input itself.
    Plain,
}

#[derive(Debug, Clone)]
struct Block {
    first: SpectralConv,
    second: SpectralConv,
    shortcut: Option<SpectralConv>,
    kind: Kind,
}

impl Block {
    fn new(
        builder: &mut ParamsBuilder,
        name: &str,
        (c_in, c_out): (usize, usize),
        kind: Kind,
        init: DiscriminatorInit,
    ) -> Result<Self> {
        let mut conv = |part: &str, c_in, kernel| {
            SpectralConv::new(builder, &format!("{name}.{part}"), (c_in, c_out), kernel, init)
        };
        Ok(Self {
            first: conv("c1", c_in, 3)?,
            second: conv("c2", c_out, 3)?,
            shortcut: match kind {
                Kind::Image | Kind::Halving => Some(conv("c_sc", c_in, 1)?),
                Kind::Plain => None,
            },
            kind,
        })
    }

    /// The block's weights, in the order in which [`Self::forward`] takes their vectors.
    fn weights(&self) -> impl Iterator<Item = &SpectralWeight> {
        [&self.first, &self.second].into_iter().chain(&self.shortcut).map(|conv| &conv.weight)
    }

    fn forward(&self, x: &Tensor, vectors: &[Vectors], grad: Grad) -> Result<Tensor> {
        let before = match self.kind {
            Kind::Image => Before::Nothing,
            Kind::Halving | Kind::Plain => Before::Relu,
        };
        let h = self.first.fused(x, before, Resize::Keep, (&vectors[0], grad))?;
        let second = |resize| self.second.fused(&h, Before::Relu, resize, (&vectors[1], grad));
        match &self.shortcut {
            None => Ok(ops::add(&second(Resize::Keep)?, x)?),
            Some(shortcut) => {
                let pooled = shortcut.forward(&ops::avg_pool2(x)?, &vectors[2], grad)?;
                Ok(ops::add(&second(Resize::AveragePool)?, &pooled)?)
            }
        }
    }
}
