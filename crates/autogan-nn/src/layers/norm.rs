//! [`BatchNorm`] is batch normalisation with affine parameters and running statistics (eps 1e-5, momentum 0.1).

use autogan_ops::{self as ops, Activation, Before, Resize, Statistics};
use autogan_weights::{Init, ParamsBuilder};
use candle_core::{ModuleT, Tensor, Var};

use super::{Conv2d, doubles};
use crate::{Grad, NnError, NormMode, Result};

/// The number that is added to every variance, in batch and instance norm.
pub(crate) const EPS: f64 = 1e-5;
/// The weight of the newest batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// Batch normalisation of `[N, C, H, W]` over N, H and W.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    name: String,
    weight: Var,
    bias: Var,
    running_mean: Var,
    running_var: Var,
    batches: Var,
}

impl BatchNorm {
    /// A layer with weights around one, under `name.weight`, `name.bias`, `name.running_mean`, `name.running_var` and
    /// `name.num_batches_tracked`.
    ///
    /// # Errors
    /// When the name is taken or the device fails.
    pub fn new(builder: &mut ParamsBuilder, name: &str, channels: usize) -> Result<Self> {
        let weight = Init::Normal { mean: 1.0, std: 0.02 };
        let tensor = |part: &str| format!("{name}.{part}");
        Ok(Self {
            weight: builder.param(&tensor("weight"), channels, weight)?,
            bias: builder.param(&tensor("bias"), channels, Init::Zeros)?,
            running_mean: builder.buffer(&tensor("running_mean"), channels, Init::Zeros)?,
            running_var: builder.buffer(&tensor("running_var"), channels, Init::Ones)?,
            batches: builder.counter(&tensor("num_batches_tracked"))?,
            name: name.to_owned(),
        })
    }

    /// The norm and what follows it; `[N, C, H, W]` stays `[N, C, H, W]`. It fails when `mode` takes the batch's
    /// statistics and there is one value per channel, and when it has no statistics for this layer.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        mode: NormMode<'_>,
        grad: Grad,
        activation: Activation,
    ) -> Result<Tensor> {
        let (weight, bias) = (grad.value(&self.weight), grad.value(&self.bias));
        self.run(x, mode, |statistics| match statistics {
            Statistics::Own => {
                let out = ops::batch_norm_train(x, &weight, &bias, EPS, activation)?;
                Ok((out.y, Some((out.mean, out.var))))
            }
            Statistics::Given(mean, var) => {
                Ok((ops::batch_norm_eval(x, mean, var, &weight, &bias, EPS, activation)?, None))
            }
        })
    }

    /// The norm, ReLU and a 3x3 convolution, in one operator.
    pub(crate) fn before_conv(
        &self,
        x: &Tensor,
        mode: NormMode<'_>,
        grad: Grad,
        (conv, resize): (&Conv2d, Resize),
    ) -> Result<Tensor> {
        let (weight, bias) = (grad.value(&self.weight), grad.value(&self.bias));
        self.run(x, mode, |statistics| {
            let before = Before::BatchNorm { weight: &weight, bias: &bias, statistics, eps: EPS };
            let out = conv.fused(x, before, resize, grad)?;
            Ok((out.y, out.statistics))
        })
    }

    /// Calls the operator with the statistics of the mode, and keeps those that it finds.
    fn run(
        &self,
        x: &Tensor,
        mode: NormMode<'_>,
        op: impl FnOnce(Statistics<'_>) -> Result<(Tensor, BatchStatistics)>,
    ) -> Result<Tensor> {
        match mode {
            NormMode::Train => {
                let (y, batch) = self.own(x, op)?;
                self.update(&batch)?;
                Ok(y)
            }
            NormMode::Collect(stats) => {
                let (y, batch) = self.own(x, op)?;
                stats.add(&self.name, batch.mean, &batch.var, batch.count)?;
                Ok(y)
            }
            NormMode::Running => {
                let (mean, var) = (doubles(&self.running_mean)?, doubles(&self.running_var)?);
                Ok(op(Statistics::Given(&mean, &var))?.0)
            }
            NormMode::Fixed(stats) => {
                let (mean, var) = stats.get(&self.name)?;
                Ok(op(Statistics::Given(&mean, &var))?.0)
            }
        }
    }

    /// Normalises by the batch's own statistics.
    fn own(
        &self,
        x: &Tensor,
        op: impl FnOnce(Statistics<'_>) -> Result<(Tensor, BatchStatistics)>,
    ) -> Result<(Tensor, Batch)> {
        let count = x.elem_count() / x.dim(1)?.max(1);
        if count < 2 {
            return Err(NnError::SingleValue { layer: self.name.clone(), count });
        }
        let (y, own) = op(Statistics::Own)?;
        let Some((mean, var)) = own else {
            let text = format!("{}: the operator took no statistics of its batch", self.name);
            return Err(candle_core::Error::Msg(text).into());
        };
        Ok((y, Batch { mean, var, count }))
    }

    /// Moves the running statistics towards those of one batch, and counts it.
    fn update(&self, batch: &Batch) -> Result<()> {
        let running = (self.running_mean.as_tensor(), self.running_var.as_tensor());
        ops::update_running(running, (&batch.mean, &batch.var), batch.count, MOMENTUM)?;
        let count = (self.batches.as_detached_tensor() + 1.0)?;
        Ok(self.batches.set(&count)?)
    }
}

/// Mean and biased variance of a batch by channel, f64, if the operator computed them.
type BatchStatistics = Option<(Tensor, Tensor)>;

/// Mean and biased variance of one batch by channel, and values behind each.
struct Batch {
    mean: Tensor,
    var: Tensor,
    count: usize,
}

/// The layer without an activation. In training it takes the batch's statistics and moves the running ones; otherwise
/// it takes the running ones.
impl ModuleT for BatchNorm {
    fn forward_t(&self, x: &Tensor, train: bool) -> candle_core::Result<Tensor> {
        let mode = if train { NormMode::Train } else { NormMode::Running };
        Ok(self.forward(x, mode, Grad::Tracked, Activation::Linear)?)
    }
}
