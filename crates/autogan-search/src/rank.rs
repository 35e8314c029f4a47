//! A ranking scores what the policy draws, one architecture in each unit of work, so that a search can be stopped and
//! saved between any two of them.

use std::time::Instant;

use autogan_rl::{Candidate, Reward, RewardValue};
use autogan_run::TrialKind;
use autogan_space::Arch;

use crate::child::Latents;
use crate::error::{Result, SearchError};
use crate::event::{Reporter, ScoredArch, SearchEvent};
use crate::search::{Ranking, Search};

impl Search {
    /// Draws `m` architectures, if that is not done, and scores the next one. Gives all of them back with the last, with
    /// the rewards that they are ranked by.
    pub(crate) fn rank_next(
        &mut self,
        m: usize,
        kind: TrialKind,
        reporter: &mut dyn Reporter<SearchEvent>,
    ) -> Result<Option<Vec<Candidate>>> {
        let mut ranking = match self.ranking.take() {
            Some(begun) => begun,
            None => Ranking {
                candidates: self.draw_candidates(m)?,
                scored: 0,
                tick: self.position.tick,
            },
        };
        if let Some(next) = ranking.candidates.get_mut(ranking.scored) {
            let latents = Latents { name: "latents.candidates", index: ranking.tick };
            let (step, images) = (ranking.scored as u64, self.config.reward.images);
            let score =
                self.score_and_report(&next.arch, latents, images, (kind, step), reporter)?;
            next.reward = self.reward_of(&next.arch, score);
            ranking.scored += 1;
        }
        if ranking.scored >= ranking.candidates.len() {
            return Ok(Some(ranking.candidates));
        }
        self.ranking = Some(ranking);
        Ok(None)
    }

    /// Scores one architecture, the `step`-th of its kind.
    pub(crate) fn score_and_report(
        &mut self,
        arch: &Arch,
        latents: Latents<'_>,
        images: usize,
        (kind, step): (TrialKind, u64),
        reporter: &mut dyn Reporter<SearchEvent>,
    ) -> Result<RewardValue> {
        let begun = Instant::now();
        let score = self.scorer(latents, images).reward(arch)?;
        let score = self.finite_reward(score)?;
        self.position.images.scored += images as u64;
        reporter.event(&SearchEvent::Scored(ScoredArch {
            kind,
            step,
            arch: arch.clone(),
            score: score.value,
            spread: score.spread,
            reward: self.reward_of(arch, score).value,
            entropy: None,
            advantage: None,
            baseline: None,
            seconds: begun.elapsed().as_secs_f64(),
        }));
        Ok(score)
    }

    /// What an architecture with this score is ranked by: the score, less what its cost takes from it.
    pub(crate) fn reward_of(&self, arch: &Arch, score: RewardValue) -> RewardValue {
        RewardValue { value: score.value - self.config.penalty(arch), ..score }
    }

    /// Returns a score that can be ranked and saved; fails when it is not finite.
    pub(crate) fn finite_reward(&self, reward: RewardValue) -> Result<RewardValue> {
        if reward.value.is_finite() && reward.spread.is_finite() {
            return Ok(reward);
        }
        Err(SearchError::Diverged {
            what: "the score of an architecture",
            value: if reward.value.is_finite() { reward.spread } else { reward.value },
            stage: self.position.stage,
            iteration: self.position.iteration,
        })
    }
}
