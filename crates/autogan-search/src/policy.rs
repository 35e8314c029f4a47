//! Controller training: children are drawn, scored, and learnt from (section 3.3.2).

use std::time::Instant;

use autogan_rl::{Reward, Rollout};
use autogan_run::TrialKind;
use autogan_space::Arch;
use candle_core::DType;

use crate::child::Latents;
use crate::error::Result;
use crate::event::{Event, Reporter};
use crate::search::{Phase, Search};

impl Search {
    /// One policy-gradient step on `controller.children` children.
    pub(crate) fn controller_step(&mut self, reporter: &mut dyn Reporter) -> Result<()> {
        let tick = self.position.tick;
        let mut rng = self.streams.rng("arch.controller", tick);
        let n = self.config.controller.children;
        let places = self.beam.as_ref().map_or_else(|| vec![0; n], |b| b.draw(n, &mut rng));
        let all = self.starts();
        let starts: Vec<_> = places.iter().map(|&p| all[p].clone()).collect();
        let rollout = self.controller.sample(&starts, &mut rng)?;
        let archs = self.decode(&places, &rollout)?;
        let begun = Instant::now();
        let images = self.config.reward.images;
        let latents = Latents { name: "latents.reward", index: tick };
        let rewards = self.scorer(latents, images).rewards(&archs)?;
        let seconds = begun.elapsed().as_secs_f64() / archs.len() as f64;
        let values: Vec<f64> = rewards.iter().map(|r| r.value).collect();
        let report = self.policy.step(&mut self.controller, &rollout, &values)?;
        let entropies = rollout.entropies.to_dtype(DType::F64)?.mean(1)?.to_vec1::<f64>()?;
        for (i, (arch, reward)) in archs.iter().zip(&rewards).enumerate() {
            self.note_favourite(arch, reward.value);
            reporter.event(&Event::Scored {
                kind: TrialKind::Controller,
                step: self.position.step * archs.len() as u64 + i as u64,
                arch: arch.clone(),
                reward: reward.value,
                spread: reward.spread,
                entropy: Some(entropies[i]),
                advantage: Some(reward.value - report.mean_reward + report.mean_advantage),
                seconds,
            });
        }
        self.position.step += 1;
        reporter.event(&Event::Controller { step: self.position.step, report });
        if self.position.step >= self.config.controller.steps as u64 {
            self.enter(Phase::End);
        }
        Ok(())
    }

    /// The architectures of a rollout whose rows began at these places of the beam.
    pub(crate) fn decode(&self, places: &[usize], rollout: &Rollout) -> Result<Vec<Arch>> {
        let actions = self.actions();
        let rows = places.iter().zip(&rollout.actions);
        rows.map(|(&p, row)| Ok(actions.decode(self.prefix_of(p), row)?)).collect()
    }

    fn note_favourite(&mut self, arch: &Arch, reward: f64) {
        if self.favourite.as_ref().is_none_or(|(_, best)| reward > *best) {
            self.favourite = Some((arch.clone(), reward));
        }
    }

    /// The policy's probabilities along its own samples' distribution, averaged over the beam (greedy tokens fed on).
    pub(crate) fn report_policy(&self, reporter: &mut dyn Reporter) -> Result<()> {
        let rollout = self.controller.greedy(&self.starts())?;
        let mut probabilities = Vec::new();
        for (token, probs) in self.controller.tokens().iter().zip(&rollout.probs) {
            let mean = probs.to_dtype(DType::F64)?.mean(0)?.to_vec1::<f64>()?;
            for (choice, p) in mean.into_iter().enumerate() {
                probabilities.push((token.name(), token.choice_name(choice), p));
            }
        }
        reporter.event(&Event::Policy { probabilities });
        Ok(())
    }

    /// Sample images of the best child of the iteration, on latents that stay the same for the whole search.
    pub(crate) fn report_samples(&mut self, reporter: &mut dyn Reporter) -> Result<()> {
        let arch = match &self.favourite {
            Some((arch, _)) => arch.clone(),
            None => self.draw_child("arch.samples")?,
        };
        self.sample_grid("child".into(), &arch, reporter)
    }

    /// A grid of 64 images of one architecture.
    pub(crate) fn sample_grid(
        &mut self,
        tag: String,
        arch: &Arch,
        reporter: &mut dyn Reporter,
    ) -> Result<()> {
        let n = 64;
        let latents = Latents { name: "latents.samples", index: 0 };
        let images = self.scorer(latents, n).samples(arch)?;
        let side = images.dim(3)?;
        let pixels = images.flatten_all()?.to_vec1::<u8>()?;
        reporter.event(&Event::Samples { tag, arch: arch.clone(), n, side, pixels });
        Ok(())
    }
}
