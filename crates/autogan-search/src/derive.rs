//! The end of a search: what was found, and what it is worth (section 3.3.3). A unit of work scores one architecture.

use autogan_nn::Generator;
use autogan_rl::{Beam, Reward, RewardValue};
use autogan_run::{FoundArch, Score, TrialKind};
use autogan_space::{Arch, MAX_CELLS, derived_generator_cost};
use candle_core::DType;
use serde::{Deserialize, Serialize};

use crate::child::{ChildScorer, Latents};
use crate::config::SearchConfig;
use crate::error::{Result, SearchError};
use crate::event::{Event, Reporter};
use crate::parts::generator_config;
use crate::search::{Phase, Search};

/// The latents that the result and what it is compared with are scored on.
const FRESH: Latents<'static> = Latents { name: "latents.result", index: 0 };

/// How far the final derivation has come; complete, it is the result.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Derivation {
    /// The best of the ranking; none before its end.
    kept: Vec<Arch>,
    /// Their scores on fresh latents, as far as they are known.
    rewards: Vec<RewardValue>,
    /// The score of real images.
    real: Option<f64>,
    /// The score of the best architecture with weights that were never trained.
    untrained: Option<f64>,
    /// The scores of random architectures, as far as they are known.
    random: Vec<f64>,
}

impl Derivation {
    /// The kept architectures with their fresh scores, the best first.
    ///
    /// Their order is that of the rewards, which a cost term may lower; the scores are as they were taken.
    fn top(&self, config: &SearchConfig) -> Vec<(Arch, RewardValue)> {
        let mut top: Vec<_> = self.kept.iter().cloned().zip(self.rewards.iter().copied()).collect();
        let reward = |(arch, score): &(Arch, RewardValue)| score.value - config.penalty(arch);
        top.sort_by(|a, b| reward(b).total_cmp(&reward(a)));
        top
    }

    fn best(&self, config: &SearchConfig) -> Result<(Arch, RewardValue)> {
        let none = || SearchError::Checkpoint("its derivation keeps no architecture".into());
        self.top(config).into_iter().next().ok_or_else(none)
    }
}

impl Search {
    /// Ranks what the last policy draws, and scores the best anew, on other latents, beside what it is to be read
    /// against: real images, an untrained generator, random architectures on the same shared weights.
    pub(crate) fn derive(&mut self, reporter: &mut dyn Reporter) -> Result<()> {
        let mut so_far = self.derivation.take().unwrap_or_default();
        let over = self.derive_next(&mut so_far, reporter)?;
        self.derivation = Some(so_far);
        self.position.step += 1;
        if over {
            reporter.event(&Event::Images { so_far: self.position.images });
            if let Some(found) = self.found() {
                reporter.event(&found);
            }
            self.enter(Phase::Done);
        }
        Ok(())
    }

    /// The next unit of the derivation; true when it was the last.
    fn derive_next(&mut self, d: &mut Derivation, reporter: &mut dyn Reporter) -> Result<bool> {
        let plan = self.config.derive.clone();
        if d.kept.is_empty() {
            if let Some(drawn) = self.rank_next(plan.candidates, TrialKind::Derive, reporter)? {
                let kept = Beam::top_k(drawn, plan.top_k)?;
                d.kept = kept.candidates().iter().map(|c| c.arch.clone()).collect();
            }
        } else if let Some(arch) = d.kept.get(d.rewards.len()) {
            let reward = self.scorer(FRESH, plan.images).reward(arch)?;
            self.position.images.scored += plan.images as u64;
            d.rewards.push(self.finite_reward(reward)?);
        } else if d.real.is_none() {
            d.real = Some(self.score_of_real(plan.images)?);
        } else if d.untrained.is_none() {
            d.untrained = Some(self.score_untrained(&d.best(&self.config)?.0, plan.images)?);
        } else if d.random.len() < plan.random {
            let step = d.random.len() as u64;
            let arch = self.random_arch(d.random.len())?;
            let which = (TrialKind::Random, step);
            let reward = self.score_and_report(&arch, FRESH, plan.images, which, reporter)?;
            d.random.push(reward.value);
        } else {
            self.sample_grid("best".into(), &d.best(&self.config)?.0, reporter)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// The result, once the derivation is complete. It is saved with the search: a finished run can tell it again.
    pub fn found(&self) -> Option<Event> {
        let d = self.derivation.as_ref()?;
        let all = d.rewards.len() == d.kept.len() && d.random.len() >= self.config.derive.random;
        let score = Score {
            real: d.real?,
            untrained: d.untrained?,
            best: d.best(&self.config).ok()?.1.value,
            median_random: median(d.random.clone())?,
        };
        let shape = generator_config(&self.config).shape();
        let top = d.top(&self.config).into_iter().enumerate().map(|(i, (arch, reward))| {
            let cost = derived_generator_cost(&arch, &shape);
            FoundArch {
                rank: i as u32 + 1,
                named: arch.named(),
                arch,
                reward: reward.value,
                spread: reward.spread,
                params: cost.params,
                macs: cost.macs,
            }
        });
        all.then(|| Event::Found { top: top.collect(), score })
    }

    /// Architecture `i` of those drawn uniformly from everything that is allowed.
    fn random_arch(&self, i: usize) -> Result<Arch> {
        let mut rng = self.streams.rng("arch.random", 0);
        for _ in 0..i {
            self.budget.random(MAX_CELLS - 1, &mut rng)?;
        }
        Ok(self.budget.random(MAX_CELLS - 1, &mut rng)?)
    }

    /// The score of `arch` with weights that were never trained.
    fn score_untrained(&mut self, arch: &Arch, images: usize) -> Result<f64> {
        let rng = &mut self.streams.rng("init.untrained", 0);
        let sizes = generator_config(&self.config);
        let generator = Generator::supernet(&sizes, rng, DType::F32, &self.device)?;
        let mut prefixes = Default::default();
        let trained = self.scorer(FRESH, images);
        let mut scorer = ChildScorer { generator: &generator, prefixes: &mut prefixes, ..trained };
        let reward = scorer.reward(arch)?;
        Ok(self.finite_reward(reward)?.value)
    }
}

/// The middle value, or the mean of the two in the middle; none of nothing.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    Some((values.get(n.checked_sub(1)? / 2)? + values.get(n / 2)?) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn median_of_odd_and_even() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
