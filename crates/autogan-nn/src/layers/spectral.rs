//! These layers use spectral norm (Miyato et al., 2018) and the released names `weight_orig`, `weight_u`, `weight_v`.
//!
//! The weight that is used is W / σ with σ = uᵀWv. In training mode each forward takes one power iteration first and
//! keeps u and v; they are constants in the gradient. u and v start as normalised normal draws. A warm-up of power
//! iterations may follow, so that σ is near the true norm from the first step: PyTorch's current parametrisation has 15.

use autogan_ops::{self as ops, Before, Resize};
use autogan_weights::{Init, ParamsBuilder, assign};
use candle_core::{ModuleT, Tensor, Var};

use super::doubles;
use crate::{DMode, DiscriminatorInit, Grad, Result};

/// The vectors u and v of one weight in one forward pass, f64, on the weight's device.
#[derive(Debug, Clone)]
pub(crate) struct Vectors {
    u: Tensor,
    v: Tensor,
}

/// A weight divided by its largest singular value.
#[derive(Debug, Clone)]
pub(crate) struct SpectralWeight {
    original: Var,
    u: Var,
    v: Var,
}

impl SpectralWeight {
    fn new(builder: &mut ParamsBuilder, name: &str, shape: &[usize], init: Init) -> Result<Self> {
        let (rows, columns) = (shape[0], shape[1..].iter().product::<usize>());
        Ok(Self {
            original: builder.param(&format!("{name}.weight_orig"), shape, init)?,
            u: builder.buffer(&format!("{name}.weight_u"), rows, Init::UnitVector)?,
            v: builder.buffer(&format!("{name}.weight_v"), columns, Init::UnitVector)?,
        })
    }

    /// The vectors of forward passes, one mode for each, in their order; the iterations follow each other.
    pub(crate) fn vectors(&self, modes: &[DMode]) -> Result<Vec<Vectors>> {
        let of = |mode: &DMode| match mode {
            DMode::Train => self.iterate(),
            DMode::Eval => self.kept(),
        };
        modes.iter().map(of).collect()
    }

    /// The normalised weight for one forward pass.
    fn value(&self, vectors: &Vectors, grad: Grad) -> Result<Tensor> {
        Ok(ops::spectral_normalize(&grad.value(&self.original), &vectors.u, &vectors.v)?)
    }

    /// The vectors of one pass of a layer that is used alone.
    fn vectors_of_pass(&self, train: bool) -> Result<Vectors> {
        if train { self.iterate() } else { self.kept() }
    }

    fn kept(&self) -> Result<Vectors> {
        Ok(Vectors { u: doubles(&self.u)?, v: doubles(&self.v)? })
    }

    /// Does one power iteration, and keeps its vectors.
    fn iterate(&self) -> Result<Vectors> {
        let weight = self.original.as_detached_tensor();
        let (u, v) = ops::power_iterate(&weight, &doubles(&self.u)?)?;
        assign(&self.u, &u)?;
        assign(&self.v, &v)?;
        Ok(Vectors { u, v })
    }

    /// Does so many power iterations, whose vectors are kept.
    pub fn warm_up(&self, iterations: usize) -> Result<()> {
        for _ in 0..iterations {
            self.iterate()?;
        }
        Ok(())
    }
}

/// A convolution with stride 1 and "same" padding under spectral norm.
#[derive(Debug, Clone)]
pub struct SpectralConv {
    pub(crate) weight: SpectralWeight,
    bias: Var,
}

impl SpectralConv {
    /// A `kernel` x `kernel` convolution, under `name.weight_orig`, `name.weight_u`, `name.weight_v` and `name.bias`.
    ///
    /// # Errors
    /// When the name is taken or the device fails.
    pub fn new(
        builder: &mut ParamsBuilder,
        name: &str,
        (c_in, c_out): (usize, usize),
        kernel: usize,
        init: DiscriminatorInit,
    ) -> Result<Self> {
        let (fan_in, fan_out) = (c_in * kernel * kernel, c_out * kernel * kernel);
        let init = match init {
            DiscriminatorInit::Xavier => Init::XavierUniform { fan_in, fan_out },
            DiscriminatorInit::PytorchDefault => Init::Uniform { fan_in },
        };
        Ok(Self {
            weight: SpectralWeight::new(builder, name, &[c_out, c_in, kernel, kernel], init)?,
            bias: builder.param(&format!("{name}.bias"), c_out, Init::Uniform { fan_in })?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor, vectors: &Vectors, grad: Grad) -> Result<Tensor> {
        let weight = self.weight.value(vectors, grad)?;
        Ok(ops::conv2d(x, &weight, Some(&grad.value(&self.bias)))?)
    }

    /// A 3x3 convolution with what precedes it and what changes the side, in one operator.
    pub(crate) fn fused(
        &self,
        x: &Tensor,
        before: Before<'_>,
        resize: Resize,
        (vectors, grad): (&Vectors, Grad),
    ) -> Result<Tensor> {
        let weight = self.weight.value(vectors, grad)?;
        Ok(ops::conv2d_fused(x, before, resize, &weight, &grad.value(&self.bias))?.y)
    }
}

/// A linear layer without bias under spectral norm: `[N, I]` to `[N, O]`.
#[derive(Debug, Clone)]
pub struct SpectralLinear {
    pub(crate) weight: SpectralWeight,
}

impl SpectralLinear {
    /// A layer under `name.weight_orig`, `name.weight_u` and `name.weight_v`.
    ///
    /// # Errors
    /// When the name is taken or the device fails.
    pub fn new(
        builder: &mut ParamsBuilder,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self> {
        let init = Init::Uniform { fan_in: inputs };
        Ok(Self { weight: SpectralWeight::new(builder, name, &[outputs, inputs], init)? })
    }

    pub(crate) fn forward(&self, x: &Tensor, vectors: &Vectors, grad: Grad) -> Result<Tensor> {
        Ok(ops::linear(x, &self.weight.value(vectors, grad)?, None)?)
    }
}

/// In training, one power iteration comes first and is kept.
impl ModuleT for SpectralConv {
    fn forward_t(&self, x: &Tensor, train: bool) -> candle_core::Result<Tensor> {
        Ok(self.forward(x, &self.weight.vectors_of_pass(train)?, Grad::Tracked)?)
    }
}

/// In training, one power iteration comes first and is kept.
impl ModuleT for SpectralLinear {
    fn forward_t(&self, x: &Tensor, train: bool) -> candle_core::Result<Tensor> {
        Ok(self.forward(x, &self.weight.vectors_of_pass(train)?, Grad::Tracked)?)
    }
}
