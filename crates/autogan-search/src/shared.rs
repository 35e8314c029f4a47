//! Shared training: a D step with a fresh architecture, and the G step that follows the first of each group.

use autogan_nn::{DMode, NormMode, loss};
use autogan_space::Arch;
use candle_core::{DType, Tensor};

use crate::config::{LrDecay, PowerIterations};
use crate::error::{Result, SearchError};
use crate::event::{Event, Reporter};
use crate::search::{Phase, Search};

impl Search {
    /// One D step, and a G step where one is due.
    pub(crate) fn shared_step(&mut self, reporter: &mut dyn Reporter) -> Result<()> {
        self.weights_changed();
        self.set_learning_rates();
        let arch = self.draw_child("arch.shared")?;
        let real = self.stage_images.batch(self.position.stage_steps, &self.device)?;
        let images = real.dim(0)?;
        let d_loss = self.d_step(&arch, &real)?;
        let g_due = self.position.d_steps.is_multiple_of(self.config.train.n_critic as u64);
        let g_loss = if g_due { Some(self.g_step(&arch)?) } else { None };
        self.position.d_steps += 1;
        self.position.stage_steps += 1;
        self.position.step += 1;
        let step = self.position.step;
        reporter.event(&Event::Shared { step, d_loss, g_loss, images });
        let stops = self.watch(d_loss, g_loss, reporter);
        if stops || step >= self.shared_steps() {
            self.enter(Phase::Controller);
            if self.config.controller.steps == 0 {
                self.enter(Phase::End);
            }
        }
        Ok(())
    }

    /// An architecture from the present policy; the stream is read at this tick.
    pub(crate) fn draw_child(&self, stream: &str) -> Result<Arch> {
        let mut rng = self.streams.rng(stream, self.position.tick);
        let place = self.beam.as_ref().map_or(0, |beam| beam.draw(1, &mut rng)[0]);
        let starts = [self.starts()[place].clone()];
        let rollout = self.controller.sample(&starts, &mut rng)?;
        Ok(self.actions().decode(self.prefix_of(place), &rollout.actions[0])?)
    }

    fn latents(&self, stream: &str, n: usize) -> Result<Tensor> {
        let length = self.config.model.latent;
        let z = self.streams.normal(stream, self.position.tick, n * length);
        Ok(Tensor::from_vec(z, (n, length), &self.device)?)
    }

    fn d_step(&mut self, arch: &Arch, real: &Tensor) -> Result<f64> {
        let stage = self.position.stage;
        // As many fakes as reals, also in a short last batch.
        let z = self.latents("latents.d", real.dim(0)?)?;
        let fake = self.generator.forward_frozen(&z, arch, NormMode::Train)?.detach();
        let again = match self.config.train.power_iterations {
            PowerIterations::PerForward => DMode::Train,
            PowerIterations::PerStep => DMode::Eval,
        };
        let real_scores = self.discriminator.forward(real, stage, DMode::Train)?;
        let fake_scores = self.discriminator.forward(&fake, stage, again)?;
        let loss = loss::d_hinge(&real_scores, &fake_scores)?;
        let value = self.finite("the discriminator's loss", &loss)?;
        let grads = loss.backward()?;
        self.d_adam.step(self.discriminator.params().trainable(), &grads)?;
        Ok(value)
    }

    fn g_step(&mut self, arch: &Arch) -> Result<f64> {
        let z = self.latents("latents.g", self.config.train.g_batch)?;
        let fake = self.generator.forward(&z, arch, NormMode::Train)?;
        let scores = self.discriminator.forward_frozen(&fake, self.position.stage, DMode::Train)?;
        let loss = loss::g_hinge(&scores)?;
        let value = self.finite("the generator's loss", &loss)?;
        let grads = loss.backward()?;
        self.g_adam.step(self.generator.params().trainable(), &grads)?;
        self.ema.update(&self.generator)?;
        Ok(value)
    }

    fn finite(&self, what: &'static str, loss: &Tensor) -> Result<f64> {
        let value = loss.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let (stage, iteration) = (self.position.stage, self.position.iteration);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(SearchError::Diverged { what, value, stage, iteration })
        }
    }

    /// Fills the loss windows; true when the losses stand still and shared training of this iteration ends.
    fn watch(&mut self, d_loss: f64, g_loss: Option<f64>, reporter: &mut dyn Reporter) -> bool {
        self.windows.push_d(d_loss, &self.config.reset);
        let Some(g_loss) = g_loss else { return false };
        self.windows.push_g(g_loss, &self.config.reset);
        let Some((g_spread, d_spread)) = self.windows.standing_still(&self.config.reset) else {
            return false;
        };
        self.position.reset_due = true;
        reporter.event(&Event::Reset { step: self.position.step, g_spread, d_spread });
        true
    }

    fn set_learning_rates(&mut self) {
        let left = match self.config.train.lr_decay {
            LrDecay::Constant => 1.0,
            LrDecay::Linear => {
                let done = self.position.step as f64 / self.shared_steps() as f64;
                let iterations = self.config.search.iterations as f64;
                1.0 - (self.position.iteration as f64 + done) / iterations
            }
        };
        self.d_adam.set_lr(self.config.train.d_lr * left);
        self.g_adam.set_lr(self.config.train.g_lr * left);
    }
}
