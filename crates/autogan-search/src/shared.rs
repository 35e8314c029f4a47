//! Shared training: a D step with a fresh architecture, and the G step that follows the first of each group.

use autogan_space::Arch;
use candle_core::Tensor;

use crate::config::LrDecay;
use crate::error::Result;
use crate::event::{Event, Reporter};
use crate::search::{Phase, Position, Search};
use crate::step::Step;

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
        let counted = &mut self.position.images;
        counted.real += images as u64;
        counted.fake += images as u64;
        if g_due {
            counted.fake += self.config.train.g_batch as u64;
        }
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

    fn latents(&self, stream: &str, n: usize) -> Result<Tensor> {
        let sizes = (n, self.config.model.latent);
        self.streams.latents(stream, self.position.tick, sizes, &self.device)
    }

    fn d_step(&mut self, arch: &Arch, real: &Tensor) -> Result<f64> {
        // As many fakes as reals, also in a short last batch.
        let z = self.latents("latents.d", real.dim(0)?)?;
        let Position { stage, iteration, .. } = self.position;
        let step = Step { train: &self.config.train, stage, iteration };
        self.networks.d_step(&step, arch, real, &z)
    }

    fn g_step(&mut self, arch: &Arch) -> Result<f64> {
        let z = self.latents("latents.g", self.config.train.g_batch)?;
        let Position { stage, iteration, .. } = self.position;
        let step = Step { train: &self.config.train, stage, iteration };
        self.networks.g_step(&step, arch, &z)
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
        self.networks.set_learning_rates(&self.config.train, left);
    }
}
