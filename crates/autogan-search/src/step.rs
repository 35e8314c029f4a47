//! One update of each network, shared by the search, the training from scratch and what measures them; section 3.3 of the paper, hinge losses.

use autogan_nn::{DMode, Discriminator, Ema, Generator, NormMode, loss};
use autogan_ops::{self as ops, Adam};
use autogan_space::Arch;
use candle_core::{DType, Tensor};

use crate::config::{PowerIterations, TrainConfig};
use crate::error::{Result, SearchError};

/// The networks that a step reads, and where it is.
pub(crate) struct Step<'a> {
    pub generator: &'a Generator,
    pub discriminator: &'a Discriminator,
    pub train: &'a TrainConfig,
    pub stage: usize,
    pub iteration: usize,
}

impl Step<'_> {
    /// Updates the discriminator on `real` `[N, 3, S, S]` in [-1, 1] and the fakes of `z` `[N, latent]`; gives the loss
    /// before the update.
    pub fn discriminator(
        &self,
        adam: &mut Adam,
        arch: &Arch,
        real: &Tensor,
        z: &Tensor,
    ) -> Result<f64> {
        let fake = self.generator.forward_frozen(z, arch, NormMode::Train)?.detach();
        let again = match self.train.power_iterations {
            PowerIterations::PerForward => DMode::Train,
            PowerIterations::PerStep => DMode::Eval,
        };
        let (loss, grads) = ops::gradients(|| {
            let real_scores = self.discriminator.forward(real, self.stage, DMode::Train)?;
            let fake_scores = self.discriminator.forward(&fake, self.stage, again)?;
            loss::d_hinge(&real_scores, &fake_scores)
        })?;
        let value = self.finite("the discriminator's loss", &loss)?;
        adam.step(self.discriminator.params().trainable(), &grads)?;
        Ok(value)
    }

    /// Updates the generator on the fakes of `z` `[N, latent]`, and its average; gives the loss before the update.
    pub fn generator(&self, adam: &mut Adam, ema: &Ema, arch: &Arch, z: &Tensor) -> Result<f64> {
        let (loss, grads) = ops::gradients(|| {
            let fake = self.generator.forward(z, arch, NormMode::Train)?;
            let scores = self.discriminator.forward_frozen(&fake, self.stage, DMode::Train)?;
            loss::g_hinge(&scores)
        })?;
        let value = self.finite("the generator's loss", &loss)?;
        adam.step(self.generator.params().trainable(), &grads)?;
        ema.update(self.generator)?;
        Ok(value)
    }

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
