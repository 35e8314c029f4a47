//! A search ends here: what it found, and what that is worth (section 3.3.3). A unit of work scores one architecture.

use autogan_nn::Generator;
use autogan_rl::{Beam, Reward};
use autogan_run::{ArchFile, Protocol, TrialKind};
use autogan_space::{Arch, Budget, MAX_CELLS};
use candle_core::DType;

use crate::child::{ChildScorer, Latents};
use crate::derivation::Derivation;
use crate::error::Result;
use crate::event::{Reporter, SearchEvent};
use crate::parts::generator_sizes;
use crate::pick::rewards_of;
use crate::position::Phase;
use crate::search::Search;
use crate::streams::Streams;

/// The latents that the result and what it is compared with are scored on.
const FRESH: Latents<'static> = Latents { name: "latents.result", index: 0 };

impl Search {
    /// Ranks what the last policy draws, and scores the best anew, on other latents, beside what it is to be read
    /// against: real images, an untrained generator, random architectures on the same shared weights.
    pub(crate) fn derive(&mut self, reporter: &mut dyn Reporter<SearchEvent>) -> Result<()> {
        let mut so_far = self.derivation.take().unwrap_or_default();
        let over = self.derive_next(&mut so_far, reporter)?;
        self.derivation = Some(so_far);
        self.position.step += 1;
        if over {
            reporter.event(&SearchEvent::Images { so_far: self.position.images });
            if let Some(found) = self.found() {
                reporter.event(&SearchEvent::Found(Box::new(found)));
            }
            self.enter(Phase::Done);
        }
        Ok(())
    }

    /// The next unit of the derivation; true when it was the last.
    fn derive_next(
        &mut self,
        d: &mut Derivation,
        reporter: &mut dyn Reporter<SearchEvent>,
    ) -> Result<bool> {
        let plan = self.config.derive.clone();
        if d.kept.is_empty() {
            if let Some(drawn) = self.rank_next(plan.candidates, TrialKind::Derive, reporter)? {
                if self.picks_by_model() {
                    d.ranked = rewards_of(&drawn);
                }
                let kept = Beam::top_k(self.to_pick_by(drawn)?, plan.top_k)?;
                d.kept = kept.candidates().iter().map(|c| c.arch.clone()).collect();
            }
        } else if let Some(arch) = d.kept.get(d.rewards.len()) {
            let reward = self.scorer(FRESH, plan.images).reward(arch)?;
            self.position.images.scored += plan.images as u64;
            d.rewards.push(self.finite_reward(reward)?);
            if self.picks_by_model() && d.rewards.len() == d.kept.len() {
                d.expected = self.expect_of_kept(d)?;
            }
        } else if d.real.is_none() {
            d.real = Some(self.score_of_real(plan.images)?);
        } else if d.untrained.is_none() {
            d.untrained = Some(self.score_untrained(&d.best(&self.config)?.0, plan.images)?);
        } else if d.random.len() < plan.random {
            let step = d.random.len() as u64;
            let arch = random_arch(&self.budget, self.streams, d.random.len() as u64)?;
            let which = (TrialKind::Random, step);
            let reward = self.score_and_report(&arch, FRESH, plan.images, which, reporter)?;
            d.random.push(reward.value);
        } else if let Some(arch) = self.child_of_course(d.drawn) {
            let which = (TrialKind::Drawn, d.drawn as u64);
            self.score_and_report(&arch, FRESH, plan.images, which, reporter)?;
            d.drawn += 1;
        } else {
            self.sample_grid("best".into(), &d.best(&self.config)?.0, reporter)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// The result, once the derivation is complete. It is saved with the search: a finished run can tell it again.
    pub fn found(&self) -> Option<ArchFile> {
        let (config, derivation) = (&self.config, self.derivation.as_ref()?);
        let score = derivation.score(config)?;
        // The rewards in the list are those of the final derivation, on as many images as the other scores.
        let how = self.score.protocol(config.derive.images);
        Some(ArchFile {
            dataset: config.data.dataset.clone(),
            scorer: self.score.name().to_owned(),
            preset: config.preset.clone(),
            seed: config.seed,
            stage: self.position.stage as u32,
            protocol: Protocol { reward: how.clone(), score: how },
            score: Some(score),
            top: derivation.found(config),
        })
    }

    /// Child `i` of those of the last stage that are scored anew: evenly over the order in which they were first drawn.
    fn child_of_course(&self, i: usize) -> Option<Arch> {
        let all = self.config.derive.drawn.min(self.seen.len());
        (i < all).then(|| self.seen[i * self.seen.len() / all].0.clone())
    }

    /// The score of `arch` with weights that were never trained.
    fn score_untrained(&mut self, arch: &Arch, images: usize) -> Result<f64> {
        let rng = &mut self.streams.rng("init.untrained", 0);
        let sizes = generator_sizes(&self.config.model);
        let generator = Generator::supernet(&sizes, rng, DType::F32, &self.device)?;
        let mut prefixes = Default::default();
        let trained = self.scorer(FRESH, images);
        let mut scorer = ChildScorer { generator: &generator, prefixes: &mut prefixes, ..trained };
        let reward = scorer.reward(arch)?;
        Ok(self.finite_reward(reward)?.value)
    }
}

/// Architecture `i` of those drawn evenly from everything that is allowed, of all cells.
pub(crate) fn random_arch(allowed: &Budget, streams: Streams, i: u64) -> Result<Arch> {
    let mut rng = streams.rng("arch.random", 0);
    for _ in 0..i {
        allowed.random(MAX_CELLS - 1, &mut rng)?;
    }
    Ok(allowed.random(MAX_CELLS - 1, &mut rng)?)
}
