//! Convolution, transposed convolution and linear layer, initialised as the released code does it.

use autogan_ops as ops;
use candle_core::{Tensor, Var};

use crate::params::Builder;
use crate::{Grad, Init, Result};

/// A convolution with stride 1 and "same" padding: `[N, Ci, H, W]` to `[N, Co, H, W]`.
#[derive(Debug, Clone)]
pub(crate) struct Conv2d {
    weight: Var,
    bias: Var,
}

impl Conv2d {
    /// A `kernel` x `kernel` convolution with Xavier-uniform weights.
    pub fn new(
        builder: &mut Builder,
        name: &str,
        c_in: usize,
        c_out: usize,
        kernel: usize,
    ) -> Result<Self> {
        let (fan_in, fan_out) = (c_in * kernel * kernel, c_out * kernel * kernel);
        let init = Init::XavierUniform { fan_in, fan_out };
        Ok(Self {
            weight: builder.param(format!("{name}.weight"), (c_out, c_in, kernel, kernel), init)?,
            bias: builder.param(format!("{name}.bias"), c_out, Init::Uniform { fan_in })?,
        })
    }

    pub fn forward(&self, x: &Tensor, grad: Grad) -> Result<Tensor> {
        Ok(ops::conv2d(x, &grad.value(&self.weight), Some(&grad.value(&self.bias)))?)
    }
}

/// A transposed convolution 2x2 with stride 2: `[N, C, H, W]` to `[N, C, 2H, 2W]`.
#[derive(Debug, Clone)]
pub(crate) struct Deconv {
    weight: Var,
    bias: Var,
}

impl Deconv {
    pub fn new(builder: &mut Builder, name: &str, channels: usize) -> Result<Self> {
        // PyTorch takes the fan from the second axis of [Ci, Co, 2, 2].
        let init = Init::Uniform { fan_in: channels * 4 };
        Ok(Self {
            weight: builder.param(format!("{name}.weight"), (channels, channels, 2, 2), init)?,
            bias: builder.param(format!("{name}.bias"), channels, init)?,
        })
    }

    pub fn forward(&self, x: &Tensor, grad: Grad) -> Result<Tensor> {
        Ok(ops::conv_transpose2x2(x, &grad.value(&self.weight), &grad.value(&self.bias))?)
    }
}

/// A linear layer: `[N, I]` to `[N, O]`.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    weight: Var,
    bias: Var,
}

impl Linear {
    pub fn new(builder: &mut Builder, name: &str, inputs: usize, outputs: usize) -> Result<Self> {
        let init = Init::Uniform { fan_in: inputs };
        Ok(Self {
            weight: builder.param(format!("{name}.weight"), (outputs, inputs), init)?,
            bias: builder.param(format!("{name}.bias"), outputs, init)?,
        })
    }

    pub fn forward(&self, x: &Tensor, grad: Grad) -> Result<Tensor> {
        Ok(ops::linear(x, &grad.value(&self.weight), Some(&grad.value(&self.bias)))?)
    }
}
