//! Layers under spectral norm (Miyato et al., 2018), with the released names `weight_orig`,
//! `weight_u`, `weight_v`.
//!
//! The weight that is used is W / σ with σ = uᵀWv. In training mode each forward takes one power
//! iteration first and keeps u and v; they are constants in the gradient. u and v start as
//! normalised normal draws followed by [`WARM_UP`] power iterations, as in PyTorch's current
//! parametrisation, so that σ is near the true norm from the first step.

use autogan_ops::{self as ops, Before, Resize};
use candle_core::{Tensor, Var};

use crate::params::{Builder, assign, doubles};
use crate::{DMode, DiscriminatorInit, Grad, Init, Result};

/// Power iterations after initialisation.
const WARM_UP: usize = 15;

/// The vectors u and v of one weight in one forward pass, f64 and beside it.
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
    fn new(builder: &mut Builder, name: &str, shape: &[usize], init: Init) -> Result<Self> {
        let (rows, columns) = (shape[0], shape[1..].iter().product::<usize>());
        Ok(Self {
            original: builder.param(format!("{name}.weight_orig"), shape, init)?,
            u: builder.buffer(format!("{name}.weight_u"), rows, Init::UnitVector)?,
            v: builder.buffer(format!("{name}.weight_v"), columns, Init::UnitVector)?,
        })
    }

    /// The vectors of forward passes, one mode for each, in their order; the iterations follow each other.
    pub fn vectors(&self, modes: &[DMode]) -> Result<Vec<Vectors>> {
        let of = |mode: &DMode| match mode {
            DMode::Train => self.iterate(),
            DMode::Eval => Ok(Vectors { u: doubles(&self.u)?, v: doubles(&self.v)? }),
        };
        modes.iter().map(of).collect()
    }

    /// The normalised weight for one forward pass.
    fn value(&self, vectors: &Vectors, grad: Grad) -> Result<Tensor> {
        Ok(ops::spectral_normalize(&grad.value(&self.original), &vectors.u, &vectors.v)?)
    }

    /// One power iteration, kept.
    fn iterate(&self) -> Result<Vectors> {
        let weight = self.original.as_detached_tensor();
        let (u, v) = ops::power_iterate(&weight, &doubles(&self.u)?)?;
        assign(&self.u, &u)?;
        assign(&self.v, &v)?;
        Ok(Vectors { u, v })
    }

    pub fn warm_up(&self) -> Result<()> {
        for _ in 0..WARM_UP {
            self.iterate()?;
        }
        Ok(())
    }
}

/// A convolution with stride 1 and "same" padding under spectral norm.
#[derive(Debug, Clone)]
pub(crate) struct SpectralConv {
    weight: SpectralWeight,
    bias: Var,
}

impl SpectralConv {
    pub fn new(
        builder: &mut Builder,
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
            bias: builder.param(format!("{name}.bias"), c_out, Init::Uniform { fan_in })?,
        })
    }

    pub fn forward(&self, x: &Tensor, vectors: &Vectors, grad: Grad) -> Result<Tensor> {
        let weight = self.weight.value(vectors, grad)?;
        Ok(ops::conv2d(x, &weight, Some(&grad.value(&self.bias)))?)
    }

    /// A 3x3 convolution with what precedes it and what changes the side, in one operator.
    pub fn fused(
        &self,
        x: &Tensor,
        before: Before<'_>,
        resize: Resize,
        (vectors, grad): (&Vectors, Grad),
    ) -> Result<Tensor> {
        let weight = self.weight.value(vectors, grad)?;
        Ok(ops::conv2d_fused(x, before, resize, &weight, &grad.value(&self.bias))?.y)
    }

    pub fn weight(&self) -> &SpectralWeight {
        &self.weight
    }
}

/// A linear layer without bias under spectral norm: `[N, I]` to `[N, O]`.
#[derive(Debug, Clone)]
pub(crate) struct SpectralLinear {
    weight: SpectralWeight,
}

impl SpectralLinear {
    pub fn new(builder: &mut Builder, name: &str, inputs: usize, outputs: usize) -> Result<Self> {
        let init = Init::Uniform { fan_in: inputs };
        Ok(Self { weight: SpectralWeight::new(builder, name, &[outputs, inputs], init)? })
    }

    pub fn forward(&self, x: &Tensor, vectors: &Vectors, grad: Grad) -> Result<Tensor> {
        Ok(ops::linear(x, &self.weight.value(vectors, grad)?, None)?)
    }

    pub fn weight(&self) -> &SpectralWeight {
        &self.weight
    }
}
