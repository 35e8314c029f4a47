//! This module holds convolution, transposed convolution and linear layer, initialised as the released code does it.

use autogan_ops::{self as ops, Before, FusedOutput, Resize};
use autogan_weights::{Init, ParamsBuilder};
use candle_core::{Module, Tensor, Var};

use crate::{Grad, Result};

/// A convolution with stride 1 and "same" padding: `[N, Ci, H, W]` to `[N, Co, H, W]`.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Var,
    bias: Var,
}

impl Conv2d {
    /// A `kernel` x `kernel` convolution with Xavier-uniform weights, under `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// When the name is taken or the device fails.
    pub fn new(
        builder: &mut ParamsBuilder,
        name: &str,
        c_in: usize,
        c_out: usize,
        kernel: usize,
    ) -> Result<Self> {
        let (fan_in, fan_out) = (c_in * kernel * kernel, c_out * kernel * kernel);
        let init = Init::XavierUniform { fan_in, fan_out };
        Ok(Self {
            weight: builder.param(
                &format!("{name}.weight"),
                (c_out, c_in, kernel, kernel),
                init,
            )?,
            bias: builder.param(&format!("{name}.bias"), c_out, Init::Uniform { fan_in })?,
        })
    }

    /// `[N, Ci, H, W]` to `[N, Co, H, W]`.
    pub(crate) fn forward_with(&self, x: &Tensor, grad: Grad) -> Result<Tensor> {
        Ok(ops::conv2d(x, &grad.value(&self.weight), Some(&grad.value(&self.bias)))?)
    }

    /// The convolution with what precedes it and what changes the side, in one operator; the kernel must be 3x3.
    pub(crate) fn fused(
        &self,
        x: &Tensor,
        before: Before<'_>,
        resize: Resize,
        grad: Grad,
    ) -> Result<FusedOutput> {
        let (weight, bias) = (grad.value(&self.weight), grad.value(&self.bias));
        Ok(ops::conv2d_fused(x, before, resize, &weight, &bias)?)
    }
}

/// A transposed convolution 2x2 with stride 2: `[N, C, H, W]` to `[N, C, 2H, 2W]`.
#[derive(Debug, Clone)]
pub struct Deconv {
    weight: Var,
    bias: Var,
}

impl Deconv {
    /// A layer with PyTorch's default initial values, under `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// When the name is taken or the device fails.
    pub fn new(builder: &mut ParamsBuilder, name: &str, channels: usize) -> Result<Self> {
        // PyTorch takes the fan from the second axis of [Ci, Co, 2, 2].
        let init = Init::Uniform { fan_in: channels * 4 };
        Ok(Self {
            weight: builder.param(&format!("{name}.weight"), (channels, channels, 2, 2), init)?,
            bias: builder.param(&format!("{name}.bias"), channels, init)?,
        })
    }

    /// `[N, C, H, W]` to `[N, C, 2H, 2W]`.
    pub(crate) fn forward_with(&self, x: &Tensor, grad: Grad) -> Result<Tensor> {
        Ok(ops::conv_transpose2x2(x, &grad.value(&self.weight), &grad.value(&self.bias))?)
    }

    /// This layer and a 1x1 convolution after it, as the one transposed convolution that they are together: half of the
    /// multiplications where there are many more pixels than channels.
    pub(crate) fn forward_then(&self, conv: &Conv2d, x: &Tensor, grad: Grad) -> Result<Tensor> {
        let (first, second) = (grad.value(&self.weight), grad.value(&conv.weight));
        let (ci, inner, k, _) = first.dims4()?;
        let co = second.dim(0)?;
        let second = ops::reshape(&second, &[co, inner])?;
        let taps = ops::reshape(&ops::permute(&first, &[0, 2, 3, 1])?, &[ci * k * k, inner])?;
        let weight = ops::linear(&taps, &second, None)?;
        let weight = ops::permute(&ops::reshape(&weight, &[ci, k, k, co])?, &[0, 3, 1, 2])?;
        let bias = ops::reshape(&grad.value(&self.bias), &[1, inner])?;
        let bias = ops::linear(&bias, &second, Some(&grad.value(&conv.bias)))?;
        let bias = ops::reshape(&bias, &[co])?;
        Ok(ops::conv_transpose2x2(x, &weight, &bias)?)
    }
}

/// A linear layer: `[N, I]` to `[N, O]`.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Var,
    bias: Var,
}

impl Linear {
    /// A layer with PyTorch's default initial values, under `name.weight` and `name.bias`.
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
        Ok(Self {
            weight: builder.param(&format!("{name}.weight"), (outputs, inputs), init)?,
            bias: builder.param(&format!("{name}.bias"), outputs, init)?,
        })
    }

    /// `[N, I]` to `[N, O]`.
    pub(crate) fn forward_with(&self, x: &Tensor, grad: Grad) -> Result<Tensor> {
        Ok(ops::linear(x, &grad.value(&self.weight), Some(&grad.value(&self.bias)))?)
    }
}

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        Ok(self.forward_with(x, Grad::Tracked)?)
    }
}

impl Module for Deconv {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        Ok(self.forward_with(x, Grad::Tracked)?)
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        Ok(self.forward_with(x, Grad::Tracked)?)
    }
}
