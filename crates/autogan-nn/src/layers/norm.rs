//! Batch normalisation with affine parameters and running statistics (eps 1e-5, momentum 0.1).

use autogan_ops as ops;
use candle_core::{Tensor, Var};

use crate::params::{Builder, read, write};
use crate::{Grad, Init, NnError, NormMode, Result};

/// Added to every variance, in batch and instance norm.
pub(crate) const EPS: f64 = 1e-5;
/// The weight of the newest batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// Batch normalisation of `[N, C, H, W]` over N, H and W.
#[derive(Debug, Clone)]
pub(crate) struct BatchNorm {
    name: String,
    weight: Var,
    bias: Var,
    running_mean: Var,
    running_var: Var,
    batches: Var,
}

impl BatchNorm {
    pub fn new(builder: &mut Builder, name: &str, channels: usize) -> Result<Self> {
        let weight = Init::Normal { mean: 1.0, std: 0.02 };
        let tensor = |part: &str| format!("{name}.{part}");
        Ok(Self {
            weight: builder.param(tensor("weight"), channels, weight)?,
            bias: builder.param(tensor("bias"), channels, Init::Zeros)?,
            running_mean: builder.buffer(tensor("running_mean"), channels, Init::Zeros)?,
            running_var: builder.buffer(tensor("running_var"), channels, Init::Ones)?,
            batches: builder.counter(tensor("num_batches_tracked"))?,
            name: name.to_owned(),
        })
    }

    pub fn forward(&self, x: &Tensor, mode: NormMode<'_>, grad: Grad) -> Result<Tensor> {
        match mode {
            NormMode::Train => {
                let batch = self.by_batch(x, grad)?;
                self.update(&batch)?;
                Ok(batch.y)
            }
            NormMode::Collect(stats) => {
                let batch = self.by_batch(x, grad)?;
                stats.add(&self.name, batch.mean, batch.unbiased_var);
                Ok(batch.y)
            }
            NormMode::Running => {
                let (mean, var) = (read(&self.running_mean)?, read(&self.running_var)?);
                self.by_statistics(x, &mean, &var, grad)
            }
            NormMode::Fixed(stats) => {
                let (mean, var) = stats.get(&self.name)?;
                self.by_statistics(x, &mean, &var, grad)
            }
        }
    }

    /// Normalises by the batch's own statistics.
    fn by_batch(&self, x: &Tensor, grad: Grad) -> Result<Batch> {
        let (weight, bias) = (grad.value(&self.weight), grad.value(&self.bias));
        let out = ops::batch_norm_train(x, &weight, &bias, EPS)?;
        let count = out.count;
        if count < 2 {
            return Err(NnError::SingleValue { layer: self.name.clone(), count });
        }
        let correction = count as f64 / (count - 1) as f64;
        let unbiased_var = out.var.iter().map(|v| v * correction).collect();
        Ok(Batch { y: out.y, mean: out.mean, unbiased_var })
    }

    fn by_statistics(&self, x: &Tensor, mean: &[f64], var: &[f64], grad: Grad) -> Result<Tensor> {
        let (weight, bias) = (grad.value(&self.weight), grad.value(&self.bias));
        Ok(ops::batch_norm_eval(x, mean, var, &weight, &bias, EPS)?)
    }

    /// Moves the running statistics towards those of one batch.
    fn update(&self, batch: &Batch) -> Result<()> {
        for (running, new) in
            [(&self.running_mean, &batch.mean), (&self.running_var, &batch.unbiased_var)]
        {
            let mut values = read(running)?;
            for (old, new) in values.iter_mut().zip(new) {
                *old += MOMENTUM * (new - *old);
            }
            write(running, &values)?;
        }
        let count = self.batches.as_detached_tensor().to_scalar::<i64>()?;
        Ok(self.batches.set(&Tensor::new(count + 1, self.batches.device())?)?)
    }
}

/// One batch, normalised, and its statistics by channel.
struct Batch {
    y: Tensor,
    mean: Vec<f64>,
    unbiased_var: Vec<f64>,
}
