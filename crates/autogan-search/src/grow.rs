//! The end of a stage: candidates, beam, growth; and the end of the search: what was found, and what it is worth.

use std::time::Instant;

use autogan_nn::Generator;
use autogan_rl::{Beam, Candidate, Reward, RewardValue};
use autogan_run::{FoundArch, Score, TrialKind};
use autogan_space::{Arch, MAX_CELLS, derived_generator_cost};
use candle_core::DType;

use crate::child::{ChildScorer, Latents};
use crate::error::Result;
use crate::event::{Event, Reporter};
use crate::parts::generator_config;
use crate::search::{Phase, Search};

impl Search {
    /// Ranks candidates, keeps the best with the controller's vectors, and starts the next stage from them.
    pub(crate) fn grow(&mut self, reporter: &mut dyn Reporter) -> Result<()> {
        let plan = self.config.search.clone();
        let images = self.config.reward.images;
        let drawn = self.candidates(plan.candidates, images, TrialKind::Candidate, reporter)?;
        let beam = Beam::top_k(drawn, plan.top_k)?;
        let stage = self.position.stage;
        let entries = beam.candidates().iter().map(|c| (c.arch.clone(), c.reward.value)).collect();
        reporter.event(&Event::Beam { stage, entries });
        self.beam = Some(beam);
        self.position.stage_steps = 0;
        self.set_stage(stage + 1)?;
        self.renew_controller()?;
        if self.config.reset.clear_on_growth {
            self.windows.clear();
        }
        Ok(())
    }

    /// `m` architectures of the present policy, scored on common latents.
    fn candidates(
        &mut self,
        m: usize,
        images: usize,
        kind: TrialKind,
        reporter: &mut dyn Reporter,
    ) -> Result<Vec<Candidate>> {
        let tick = self.position.tick;
        let mut rng = self.streams.rng("arch.candidates", tick);
        let all = self.starts();
        let (places, rollout) = if self.config.search.distinct {
            let draws = self.controller.sample_distinct(&all, m, &mut rng)?;
            let places: Vec<usize> = draws.iter().map(|d| d.start).collect();
            let starts: Vec<_> = places.iter().map(|&p| all[p].clone()).collect();
            let actions: Vec<_> = draws.into_iter().map(|d| d.actions).collect();
            (places, self.controller.evaluate(&starts, &actions)?)
        } else {
            let places = self.beam.as_ref().map_or_else(|| vec![0; m], |b| b.draw(m, &mut rng));
            let starts: Vec<_> = places.iter().map(|&p| all[p].clone()).collect();
            let rollout = self.controller.sample(&starts, &mut rng)?;
            (places, rollout)
        };
        let archs = self.decode(&places, &rollout)?;
        let latents = Latents { name: "latents.candidates", index: tick };
        let rewards = self.score_and_report(&archs, latents, images, kind, reporter)?;
        let states = rollout.end_states()?;
        let rows = archs.into_iter().zip(rewards).zip(states);
        Ok(rows.map(|((arch, reward), state)| Candidate { arch, reward, state }).collect())
    }

    fn score_and_report(
        &mut self,
        archs: &[Arch],
        latents: Latents<'_>,
        images: usize,
        kind: TrialKind,
        reporter: &mut dyn Reporter,
    ) -> Result<Vec<RewardValue>> {
        let mut rewards = Vec::with_capacity(archs.len());
        for (step, arch) in archs.iter().enumerate() {
            let begun = Instant::now();
            let reward = self.scorer(latents, images).reward(arch)?;
            reporter.event(&Event::Scored {
                kind,
                step: step as u64,
                arch: arch.clone(),
                reward: reward.value,
                spread: reward.spread,
                entropy: None,
                advantage: None,
                seconds: begun.elapsed().as_secs_f64(),
            });
            rewards.push(reward);
        }
        Ok(rewards)
    }

    /// Ranks what the last policy draws, and scores the best anew, on other latents, beside what it is to be read
    /// against: real images, an untrained generator, random architectures on the same shared weights.
    pub(crate) fn derive(&mut self, reporter: &mut dyn Reporter) -> Result<()> {
        let d = self.config.derive.clone();
        let images = self.config.reward.images;
        let drawn = self.candidates(d.candidates, images, TrialKind::Derive, reporter)?;
        let kept = Beam::top_k(drawn, d.top_k)?;
        let archs: Vec<Arch> = kept.candidates().iter().map(|c| c.arch.clone()).collect();
        let fresh = Latents { name: "latents.result", index: 0 };
        let rewards = self.scorer(fresh, d.images).rewards(&archs)?;
        let mut top: Vec<(Arch, RewardValue)> = archs.into_iter().zip(rewards).collect();
        top.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
        let (best, best_reward) = top[0].clone();
        let score = Score {
            real: self.score_of_real(d.images)?,
            untrained: self.score_untrained(&best, d.images)?,
            best: best_reward.value,
            median_random: self.median_random(d.random, d.images, reporter)?,
        };
        self.sample_grid("best".into(), &best, reporter)?;
        let shape = generator_config(&self.config).shape();
        let top = top.iter().enumerate().map(|(i, (arch, reward))| {
            let cost = derived_generator_cost(arch, &shape);
            FoundArch {
                rank: i as u32 + 1,
                arch: arch.to_released(),
                named: arch.named(),
                reward: reward.value,
                spread: reward.spread,
                params: cost.params,
                macs: cost.macs,
            }
        });
        reporter.event(&Event::Found { top: top.collect(), score });
        self.enter(Phase::Done);
        Ok(())
    }

    /// The median score of architectures drawn uniformly from the whole space, on the shared weights.
    fn median_random(
        &mut self,
        n: usize,
        images: usize,
        reporter: &mut dyn Reporter,
    ) -> Result<f64> {
        let mut rng = self.streams.rng("arch.random", 0);
        let archs: Vec<Arch> =
            (0..n).map(|_| Arch::random(MAX_CELLS - 1, &mut rng)).collect::<Result<_, _>>()?;
        let fresh = Latents { name: "latents.result", index: 0 };
        let rewards = self.score_and_report(&archs, fresh, images, TrialKind::Random, reporter)?;
        Ok(median(rewards.iter().map(|r| r.value).collect()))
    }

    /// The score of `arch` with weights that were never trained.
    fn score_untrained(&mut self, arch: &Arch, images: usize) -> Result<f64> {
        let rng = &mut self.streams.rng("init.untrained", 0);
        let sizes = generator_config(&self.config);
        let generator = Generator::supernet(&sizes, rng, DType::F32, &self.device)?;
        let mut prefixes = Default::default();
        let fresh = Latents { name: "latents.result", index: 0 };
        let trained = self.scorer(fresh, images);
        let mut scorer = ChildScorer { generator: &generator, prefixes: &mut prefixes, ..trained };
        Ok(scorer.reward(arch)?.value)
    }
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] + values[n / 2]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn median_of_odd_and_even() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
