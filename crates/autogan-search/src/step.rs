//! One update of each network, shared by the search, the training from scratch and what measures them; section 3.3 of the paper, hinge losses.

use autogan_nn::{DMode, NormMode, loss};
use autogan_ops as ops;
use autogan_space::Arch;
use candle_core::{DType, Tensor};

use crate::config::{PowerIterations, TrainConfig};
use crate::error::{Result, SearchError};
use crate::networks::Networks;

/// How a step is made, and where it is.
pub(crate) struct Step<'a> {
    pub train: &'a TrainConfig,
    pub stage: usize,
    pub iteration: usize,
}

impl Networks {
    /// Updates the discriminator on `real` `[N, 3, S, S]` in [-1, 1] and the fakes of `z` `[N, latent]`; gives the loss
    /// before the update.
    pub fn d_step(&mut self, at: &Step<'_>, arch: &Arch, real: &Tensor, z: &Tensor) -> Result<f64> {
        let fake = self.generator.forward_frozen(z, arch, NormMode::Train)?.detach();
        // ReLU makes zeros of what is no number: the losses alone would not show it.
        at.finite("the sum of the generator's images", &fake.sum_all()?)?;
        let again = match at.train.power_iterations {
            PowerIterations::PerForward => DMode::Train,
            PowerIterations::PerStep => DMode::Eval,
        };
        let discriminator = &self.discriminator;
        let prepared = discriminator.prepare(at.stage, &[DMode::Train, again])?;
        // Both passes at once: what one does on one thread alone, the other fills with work.
        let (of_real, of_fake) = ops::join(
            || {
                ops::gradients(|| {
                    loss::d_hinge_real(&discriminator.forward_prepared(real, &prepared[0])?)
                })
            },
            || {
                ops::gradients(|| {
                    loss::d_hinge_fake(&discriminator.forward_prepared(&fake, &prepared[1])?)
                })
            },
        );
        let ((real_loss, of_real), (fake_loss, of_fake)) = (of_real?, of_fake?);
        let loss = ops::add(&real_loss, &fake_loss)?;
        let grads = of_fake.plus(of_real)?;
        let value = at.finite("the discriminator's loss", &loss)?;
        self.d_adam.step(self.discriminator.params().trainable(), &grads)?;
        Ok(value)
    }

    /// Updates the generator on the fakes of `z` `[N, latent]`, and its average; gives the loss before the update.
    pub fn g_step(&mut self, at: &Step<'_>, arch: &Arch, z: &Tensor) -> Result<f64> {
        let (loss, grads) = ops::gradients(|| {
            let fake = self.generator.forward(z, arch, NormMode::Train)?;
            let scores = self.discriminator.forward_frozen(&fake, at.stage, DMode::Train)?;
            loss::g_hinge(&scores)
        })?;
        let value = at.finite("the generator's loss", &loss)?;
        self.g_adam.step(self.generator.params().trainable(), &grads)?;
        self.ema.update(&self.generator)?;
        Ok(value)
    }
}

impl Step<'_> {
    fn finite(&self, what: &'static str, loss: &Tensor) -> Result<f64> {
        let value = loss.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let (stage, iteration) = (self.stage, self.iteration);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(SearchError::Diverged { what, value, stage, iteration })
        }
    }
}
