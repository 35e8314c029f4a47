//! Shared training takes a D step with a fresh architecture, and a G step after the first D step of each group.
//!
//! The released code and its preset count groups from 0 in each iteration (`search.restart_steps`), and look at the loss
//! windows after every D step (`reset.check`).

use crate::config::{LrDecay, ResetCheck};
use crate::error::Result;
use crate::event::{Reporter, SearchEvent};
use crate::losses::{ComingLosses, KnownLosses, StepPlace};
use crate::position::{Phase, Position};
use crate::search::Search;
use crate::step::Step;

impl Search {
    /// Takes one D step, and a G step where one is due.
    pub(crate) fn shared_step(&mut self, reporter: &mut dyn Reporter<SearchEvent>) -> Result<()> {
        self.weights_changed();
        self.set_learning_rates();
        let Position { step: steps, d_steps, .. } = self.position;
        let group_steps = if self.config.search.restart_steps { steps } else { d_steps };
        let g_due = group_steps.is_multiple_of(self.config.train.n_critic as u64);
        let arch = self.draw_shared(g_due)?;
        let real = self.stage_images.batch(self.position.stage_steps, &self.device)?;
        let images = real.dim(0)?;
        let Position { stage, iteration, tick: index, .. } = self.position;
        let (train, streams) = (&self.config.train, self.streams);
        let step = Step { train, stage, iteration, streams, index };
        let d_loss = self.networks.d_step(&step, &arch, &real)?;
        let g_loss = if g_due { Some(self.networks.g_step(&step, &arch)?) } else { None };
        let counted = &mut self.position.images;
        counted.real += images as u64;
        counted.fake += images as u64;
        if g_due {
            counted.fake += self.config.train.g_batch as u64;
            self.position.stage_g_steps += 1;
        } else {
            self.position.stage_d_alone += 1;
        }
        self.position.d_steps += 1;
        self.position.stage_steps += 1;
        self.position.step += 1;
        let place = StepPlace { step: self.position.step, d_steps, images };
        let before = self.losses.replace(ComingLosses::new(place, d_loss, g_loss));
        let mut stops = self.read_losses(before, reporter)?;
        if self.config.reset.check == ResetCheck::DStep {
            // Where a loss is waited for, no step follows the one that fills the window.
            let now = self.losses.take();
            stops |= self.read_losses(now, reporter)?;
        }
        if stops || place.step >= self.shared_steps() {
            let last = self.losses.take();
            self.read_losses(last, reporter)?;
            self.enter(Phase::Controller);
            if self.config.controller.steps == 0 {
                self.enter(Phase::End);
            }
        }
        Ok(())
    }

    /// Looks at the losses of a step, where there was one; true when they stand still, and shared training of this
    /// iteration ends.
    fn read_losses(
        &mut self,
        losses: Option<ComingLosses>,
        reporter: &mut dyn Reporter<SearchEvent>,
    ) -> Result<bool> {
        let Some(losses) = losses else { return Ok(false) };
        let losses = losses.read()?;
        reporter.event(&SearchEvent::Step(losses.told(self.shared_steps())));
        Ok(self.watch(&losses, reporter))
    }

    /// Fills the loss windows; true when the losses stand still.
    fn watch(&mut self, losses: &KnownLosses, reporter: &mut dyn Reporter<SearchEvent>) -> bool {
        self.windows.push_d(losses.d, &self.config.reset);
        match (losses.g, self.config.reset.check) {
            (Some(g_loss), _) => self.windows.push_g(g_loss, &self.config.reset),
            (None, ResetCheck::GStep) => return false,
            (None, ResetCheck::DStep) => {}
        }
        let Some((g_spread, d_spread)) = self.windows.standing_still(&self.config.reset) else {
            return false;
        };
        // The last step of an iteration is read behind the one that ended it.
        if !std::mem::replace(&mut self.position.reset_due, true) {
            reporter.event(&SearchEvent::Reset { step: losses.place.step, g_spread, d_spread });
        }
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
