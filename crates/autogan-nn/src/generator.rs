//! The generator (sections 3.1 and 4) makes images of latent vectors by a linear layer, cells, and a head.
//!
//! `h0 = Linear(z)` as `[N, C, b, b]`, one to three cells that each double the side, then batch
//! norm, ReLU, convolution 3x3 to 3 channels and tanh. The head is the same at every stage. The
//! pieces [`Generator::stem`], [`Generator::cell`] and [`Generator::head`] are public, so that
//! architectures that begin with the same cells can share the activations of these cells.

use autogan_ops::{self as ops, Resize};
use autogan_space::{Arch, CellArch, MAX_CELLS};
use autogan_weights::{Params, ParamsBuilder};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use rand::Rng;

use crate::bound::BoundGenerator;
use crate::cell::{Cell, Pass};
use crate::layers::{BatchNorm, Conv2d, Linear};
use crate::names::to_released_derived;
use crate::{Grad, NnError, NormMode, PreOrder, Result, SkipTap};

/// Two rules of a generator on which the paper and the released code disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The place where skips start.
    pub skip_tap: SkipTap,
    /// The place where pre-activation halves upsample.
    pub pre_order: PreOrder,
}

impl Rules {
    /// The rules that this project uses by default.
    pub const STANDARD: Self =
        Self { skip_tap: SkipTap::BeforeAdd, pre_order: PreOrder::NormFirst };
    /// The released code's rules, which its checkpoints need.
    pub const RELEASED: Self = Self { skip_tap: SkipTap::AfterAdd, pre_order: PreOrder::NormFirst };
}

/// The sizes of a generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratorConfig {
    /// Length of the latent vector z.
    pub latent: usize,
    /// Channels of every cell (`gf`).
    pub width: usize,
    /// Side of the first feature map; the images of stage s have side `bottom · 2^(s+1)`.
    pub bottom: usize,
    /// The rules on which the paper and the released code disagree.
    pub rules: Rules,
}

impl GeneratorConfig {
    fn validate(&self) -> Result<()> {
        let sizes = [("latent", self.latent), ("width", self.width), ("bottom", self.bottom)];
        match sizes.into_iter().find(|(_, size)| *size == 0) {
            Some((field, _)) => Err(NnError::zero(field)),
            None => Ok(()),
        }
    }
}

/// Activations on their way through a generator. A clone shares them, so a prefix can be continued many times.
#[derive(Debug, Clone)]
pub struct Trace {
    x: Tensor,
    taps: Vec<Tensor>,
    grad: Grad,
}

impl Trace {
    /// The number of cells that have run.
    pub fn cells(&self) -> usize {
        self.taps.len()
    }
}

/// A generator: the supernet, or the network of one architecture.
#[derive(Debug)]
pub struct Generator {
    config: GeneratorConfig,
    derived: Option<Arch>,
    linear: Linear,
    cells: Vec<Cell>,
    to_rgb_norm: BatchNorm,
    to_rgb_conv: Conv2d,
    params: Params,
}

impl Generator {
    /// The weight-sharing supernet of three cells, each with every part.
    ///
    /// # Errors
    /// When a size is zero or `dtype` is neither f32 nor f64.
    pub fn supernet(
        config: &GeneratorConfig,
        rng: &mut (impl Rng + ?Sized),
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let net = Self::build(config, None, dtype, device)?;
        net.reset(rng)?;
        Ok(net)
    }

    /// The network of one architecture, with the parts that it uses and no others.
    ///
    /// # Errors
    /// When a size is zero or `dtype` is neither f32 nor f64.
    pub fn derived(
        config: &GeneratorConfig,
        arch: &Arch,
        rng: &mut (impl Rng + ?Sized),
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let net = Self::build(config, Some(arch), dtype, device)?;
        net.reset(rng)?;
        Ok(net)
    }

    /// A generator with the values that `vb` holds, in tensors of its own: a supernet, or the network of `arch` under our
    /// names or those of the released derived models. Element type and device are those of `vb`.
    ///
    /// # Errors
    /// When a size is zero or the element type is neither F32 nor F64; when a tensor is missing or has another shape
    /// ([`autogan_weights::Error::Mismatch`] names all of them).
    pub fn from_var_builder(
        config: &GeneratorConfig,
        arch: Option<&Arch>,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let net = Self::build(config, arch, vb.dtype(), vb.device())?;
        let short = |name: &str| Some(to_released_derived(name)).filter(|short| short != name);
        let mut names = net.params.all().into_iter().filter_map(|(name, _)| short(name));
        let released = arch.is_some() && names.any(|short| vb.contains_tensor(&short));
        let rename = if released { to_released_derived } else { str::to_owned };
        net.params.load_var_builder(vb, rename)?;
        Ok(net)
    }

    /// This generator with an architecture and a mode, as a candle module from latents to images.
    pub fn bind<'a>(&'a self, arch: &'a Arch, mode: NormMode<'a>) -> BoundGenerator<'a> {
        BoundGenerator { generator: self, arch, mode, grad: Grad::Tracked }
    }

    /// Images `[N, 3, S, S]` in [-1, 1] from latents `[N, latent]`, with gradients to the parameters.
    ///
    /// # Errors
    /// When the latents have another shape, or the network lacks a part that `arch` uses.
    pub fn forward(&self, z: &Tensor, arch: &Arch, mode: NormMode<'_>) -> Result<Tensor> {
        self.pass(z, arch, mode, Grad::Tracked)
    }

    /// [`Self::forward`] with the parameters as constants: nothing is kept for a backward pass.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_frozen(&self, z: &Tensor, arch: &Arch, mode: NormMode<'_>) -> Result<Tensor> {
        self.pass(z, arch, mode, Grad::Frozen)
    }

    /// Runs the linear layer: latents `[N, latent]` to `[N, width, bottom, bottom]`.
    ///
    /// # Errors
    /// When the latents have another shape.
    pub fn stem(&self, z: &Tensor) -> Result<Trace> {
        self.begin(z, Grad::Tracked)
    }

    /// [`Self::stem`] with the parameters as constants, here and in the cells and the head that follow.
    ///
    /// # Errors
    /// As [`Self::stem`].
    pub fn stem_frozen(&self, z: &Tensor) -> Result<Trace> {
        self.begin(z, Grad::Frozen)
    }

    /// Runs cell `index` (from 0), which must be the next one.
    ///
    /// # Errors
    /// When another cell is next, `arch` belongs to another place, or the network lacks a part that
    /// it uses.
    pub fn cell(
        &self,
        trace: &mut Trace,
        index: usize,
        arch: &CellArch,
        mode: NormMode<'_>,
    ) -> Result<()> {
        let next = trace.taps.len();
        for place in [index, arch.index()] {
            if place != next {
                return Err(NnError::CellOrder { expected: next + 1, found: place + 1 });
            }
        }
        let beyond = NnError::Stage { last: self.cells.len().saturating_sub(1), found: index };
        let cell = self.cells.get(index).ok_or(beyond)?;
        let pass = Pass { grad: trace.grad, mode, pre_order: self.config.rules.pre_order };
        let output = cell.forward(&trace.x, &trace.taps, arch, pass)?;
        trace.x = output.out;
        trace.taps.push(match self.config.rules.skip_tap {
            SkipTap::BeforeAdd => output.before_add,
            SkipTap::AfterAdd => output.after_add,
        });
        Ok(())
    }

    /// Runs the head (batch norm, ReLU, convolution, tanh): images `[N, 3, S, S]` in [-1, 1].
    ///
    /// # Errors
    /// When a tensor operation fails, or `mode` has no statistics for the head.
    pub fn head(&self, trace: &Trace, mode: NormMode<'_>) -> Result<Tensor> {
        let conv = (&self.to_rgb_conv, Resize::Keep);
        Ok(ops::tanh(&self.to_rgb_norm.before_conv(&trace.x, mode, trace.grad, conv)?)?)
    }

    /// The sizes.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// The architecture that the network was derived for; `None` for a supernet.
    pub fn arch(&self) -> Option<&Arch> {
        self.derived.as_ref()
    }

    /// The named tensors.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Side of the images that `stage` (from 0) produces.
    pub fn side(&self, stage: usize) -> usize {
        self.config.bottom << (stage + 1)
    }

    /// Draws every tensor anew in place, as at construction.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn reset(&self, rng: &mut (impl Rng + ?Sized)) -> Result<()> {
        Ok(self.params.reset(rng)?)
    }

    /// A second network of the same kind with the same values in tensors of its own.
    pub(crate) fn twin(&self) -> Result<Self> {
        self.copy(self.derived.as_ref())
    }

    /// The network of one architecture with this network's values in tensors of its own.
    ///
    /// # Errors
    /// When this network lacks a part that `arch` uses.
    pub fn derive(&self, arch: &Arch) -> Result<Self> {
        self.copy(Some(arch))
    }

    fn copy(&self, arch: Option<&Arch>) -> Result<Self> {
        let (dtype, device) = (self.params.dtype(), self.params.device());
        let net = Self::build(&self.config, arch, dtype, device)?;
        net.params.copy_from(&self.params)?;
        Ok(net)
    }

    /// A network whose tensors are all zero, to be loaded.
    pub(crate) fn build(
        config: &GeneratorConfig,
        arch: Option<&Arch>,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        config.validate()?;
        let GeneratorConfig { latent, width, bottom, .. } = *config;
        let mut builder = ParamsBuilder::new(dtype, device)?;
        let cells = 0..arch.map_or(MAX_CELLS, |arch| arch.cells().len());
        let cells =
            cells.map(|i| Cell::new(&mut builder, i, width, arch.map(|arch| &arch.cells()[i])));
        let cells = cells.collect::<Result<_>>()?;
        Ok(Self {
            config: config.clone(),
            derived: arch.cloned(),
            linear: Linear::new(&mut builder, "l1", latent, width * bottom * bottom)?,
            cells,
            to_rgb_norm: BatchNorm::new(&mut builder, "to_rgb.0", width)?,
            to_rgb_conv: Conv2d::new(&mut builder, "to_rgb.2", width, 3, 3)?,
            params: builder.finish_by_name(),
        })
    }

    fn begin(&self, z: &Tensor, grad: Grad) -> Result<Trace> {
        let GeneratorConfig { latent, width, bottom, .. } = self.config;
        let n = match z.dims() {
            [n, length] if *length == latent => *n,
            found => {
                let expected = format!("[N, {latent}]");
                return Err(NnError::Shape { what: "latents", expected, found: found.to_vec() });
            }
        };
        let h = self.linear.forward_with(z, grad)?;
        Ok(Trace { x: ops::reshape(&h, &[n, width, bottom, bottom])?, taps: Vec::new(), grad })
    }

    pub(crate) fn pass(
        &self,
        z: &Tensor,
        arch: &Arch,
        mode: NormMode<'_>,
        grad: Grad,
    ) -> Result<Tensor> {
        let mut trace = self.begin(z, grad)?;
        for (i, cell) in arch.cells().iter().enumerate() {
            self.cell(&mut trace, i, cell, mode)?;
        }
        self.head(&trace, mode)
    }
}
