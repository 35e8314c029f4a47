//! Controller training draws children, scores them and learns from them (3.3.2); a random search only draws and scores.

use std::time::Instant;

use autogan_rl::{Reward, RewardScale, Rollout, StepReport};
use autogan_run::TrialKind;
use autogan_space::{Arch, stage_tokens};
use candle_core::DType;

use crate::child::Latents;
use crate::config::{Levels, Policy, RewardLatents, Standardise};
use crate::error::Result;
use crate::event::{Reporter, SampleGrid, ScoredArch, SearchEvent};
use crate::position::Phase;
use crate::search::Search;

impl Search {
    /// Takes one step on `controller.children` children: of the policy gradient, or of a random search (no learning).
    pub(crate) fn controller_step(
        &mut self,
        reporter: &mut dyn Reporter<SearchEvent>,
    ) -> Result<()> {
        let (archs, rollout) = self.draw_children()?;
        let begun = Instant::now();
        let images = self.config.reward.images;
        let latents = self.reward_latents();
        let scores = self.scorer(latents, images).rewards(&archs)?;
        let scores: Vec<_> =
            scores.into_iter().map(|score| self.finite_reward(score)).collect::<Result<_>>()?;
        let seconds = begun.elapsed().as_secs_f64() / archs.len() as f64;
        self.position.images.scored += (images * archs.len()) as u64;
        let pairs = archs.iter().zip(&scores);
        let rewards: Vec<f64> = pairs.map(|(a, &score)| self.reward_of(a, score).value).collect();
        self.children.extend(archs.iter().cloned().zip(rewards.iter().copied()));
        let mut learnt = None;
        if let Some(rollout) = &rollout {
            let report = self.learn(rollout, &rewards)?;
            let entropies = rollout.entropies.to_dtype(DType::F64)?.mean(1)?.to_vec1::<f64>()?;
            learnt = Some((report, entropies));
        }
        for (i, (arch, score)) in archs.iter().zip(&scores).enumerate() {
            self.note_favourite(arch, rewards[i]);
            let learnt = learnt.as_ref();
            reporter.event(&SearchEvent::Scored(ScoredArch {
                kind: TrialKind::Controller,
                step: self.position.step * archs.len() as u64 + i as u64,
                arch: arch.clone(),
                score: score.value,
                spread: score.spread,
                reward: rewards[i],
                entropy: learnt.map(|(_, entropies)| entropies[i]),
                advantage: learnt.map(|(report, _)| report.advantages[i]),
                baseline: learnt.map(|(report, _)| report.subtracted),
                seconds,
            }));
        }
        self.position.step += 1;
        let step = self.position.step;
        reporter.event(&match learnt {
            Some((report, _)) => SearchEvent::Controller { step, report },
            None => {
                let mean_reward = rewards.iter().sum::<f64>() / rewards.len() as f64;
                SearchEvent::Drawn { step, mean_reward }
            }
        });
        if self.position.step >= self.config.controller.steps as u64 {
            self.note_seen();
            self.enter(Phase::End);
        }
        Ok(())
    }

    /// The latents of this step's children.
    fn reward_latents(&self) -> Latents<'static> {
        match self.config.reward.latents {
            RewardLatents::Step => Latents { name: "latents.reward", index: self.position.tick },
            RewardLatents::Iteration => {
                Latents { name: "latents.iteration", index: self.position.iteration as u64 }
            }
        }
    }

    /// Takes the step of the policy gradient. Where rewards are standardised, the advantages that it tells are in standard
    /// deviations, and its reward and baselines are as they would be without.
    fn learn(&mut self, rollout: &Rollout, rewards: &[f64]) -> Result<StepReport> {
        let (policy, controller) = (&mut self.policy, &mut self.controller);
        match self.config.reward.standardise {
            Standardise::None => Ok(policy.step(controller, rollout, rewards)?),
            Standardise::Iteration => {
                let so_far: Vec<f64> = self.children.iter().map(|(_, reward)| *reward).collect();
                let scale = RewardScale::of(&so_far);
                let standardised: Vec<f64> =
                    rewards.iter().map(|&r| scale.standardise(r)).collect();
                let report = policy.step(controller, rollout, &standardised)?;
                Ok(StepReport {
                    mean_reward: rewards.iter().sum::<f64>() / rewards.len() as f64,
                    baseline: scale.restore(report.baseline),
                    subtracted: scale.restore(report.subtracted),
                    ..report
                })
            }
        }
    }

    /// Keeps the rewards of this iteration's children, to choose candidates from; where a child comes again, its last
    /// reward. Those of one iteration may be standardised: then they can be compared with those of another.
    fn note_seen(&mut self) {
        let rewards: Vec<f64> = self.children.iter().map(|(_, reward)| *reward).collect();
        let scale = RewardScale::of(&rewards);
        let keeps_all = self.has_model();
        for (arch, reward) in &self.children {
            let reward = match self.config.reward.standardise {
                Standardise::None => *reward,
                Standardise::Iteration => scale.standardise(*reward),
            };
            if keeps_all {
                self.rewards.push((arch.clone(), reward));
            }
            match self.seen.iter_mut().find(|(known, _)| known == arch) {
                Some((_, known)) => *known = reward,
                None => self.seen.push((arch.clone(), reward)),
            }
        }
    }

    fn note_favourite(&mut self, arch: &Arch, reward: f64) {
        if self.favourite.as_ref().is_none_or(|(_, best)| reward > *best) {
            self.favourite = Some((arch.clone(), reward));
        }
    }

    /// Reports the policy's probabilities along its most probable choices, averaged over the beam. A random search has
    /// no policy.
    pub(crate) fn report_policy(&self, reporter: &mut dyn Reporter<SearchEvent>) -> Result<()> {
        if self.config.controller.policy == Policy::Uniform {
            return Ok(());
        }
        let starts = self.starts();
        let places: Vec<usize> = (0..starts.len()).collect();
        let rollout = self.controller.within(&self.rule(&places)).greedy(&starts)?;
        let mut probabilities = Vec::new();
        let cells = self.cells_of_tokens();
        for ((token, cell), probs) in self.controller.tokens().iter().zip(cells).zip(&rollout.probs)
        {
            let mean = probs.to_dtype(DType::F64)?.mean(0)?.to_vec1::<f64>()?;
            for (choice, p) in mean.into_iter().enumerate() {
                probabilities.push((cell.clone() + &token.name(), token.choice_name(choice), p));
            }
        }
        reporter.event(&SearchEvent::Policy { probabilities });
        Ok(())
    }

    /// Returns for each token what tells its cell from the others that the controller decides: `cell 2: `, or nothing
    /// when there is only one.
    fn cells_of_tokens(&self) -> Vec<String> {
        let (stage, order) = (self.position.stage, self.config.controller.tokens);
        match self.config.search.levels {
            Levels::Multi => vec![String::new(); self.controller.tokens().len()],
            Levels::Single => (0..=stage)
                .flat_map(|cell| stage_tokens(cell, order).into_iter().map(move |_| cell))
                .map(|cell| format!("cell {}: ", cell + 1))
                .collect(),
        }
    }

    /// Sample images of the best child of the iteration, on latents that stay the same for the whole search.
    pub(crate) fn report_samples(
        &mut self,
        reporter: &mut dyn Reporter<SearchEvent>,
    ) -> Result<()> {
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
        reporter: &mut dyn Reporter<SearchEvent>,
    ) -> Result<()> {
        let n = 64;
        let latents = Latents { name: "latents.samples", index: 0 };
        let images = self.scorer(latents, n).samples(arch)?;
        let side = images.dim(3)?;
        let pixels = images.flatten_all()?.to_vec1::<u8>()?;
        let grid = SampleGrid { tag, arch: arch.clone(), n, side, pixels };
        reporter.event(&SearchEvent::Samples(grid));
        Ok(())
    }
}
