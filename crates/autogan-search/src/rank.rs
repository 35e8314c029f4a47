//! Ranking what the policy draws: one architecture is scored in each unit of work, so that a search can be stopped and
//! saved between any two of them.

use std::time::Instant;

use autogan_rl::{Candidate, Reward, RewardValue};
use autogan_run::TrialKind;
use autogan_space::Arch;
use serde::{Deserialize, Serialize};

use crate::child::Latents;
use crate::error::{Result, SearchError};
use crate::event::{Event, Reporter};
use crate::search::Search;

/// Architectures that are being scored one after the other, on common latents.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ranking {
    /// As they were drawn; the rewards of the first `scored` are known.
    candidates: Vec<Candidate>,
    scored: usize,
    /// When they were drawn, which says which latents they are scored on.
    tick: u64,
}

impl Search {
    /// Draws `m` architectures of the present policy, if that is not done, and scores the next one. Gives all of them
    /// back with the last.
    pub(crate) fn rank_next(
        &mut self,
        m: usize,
        kind: TrialKind,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<Vec<Candidate>>> {
        let mut ranking = match self.ranking.take() {
            Some(begun) => begun,
            None => self.draw_candidates(m)?,
        };
        if let Some(next) = ranking.candidates.get_mut(ranking.scored) {
            let latents = Latents { name: "latents.candidates", index: ranking.tick };
            let (step, images) = (ranking.scored as u64, self.config.reward.images);
            next.reward =
                self.score_and_report(&next.arch, latents, images, (kind, step), reporter)?;
            ranking.scored += 1;
        }
        if ranking.scored >= ranking.candidates.len() {
            return Ok(Some(ranking.candidates));
        }
        self.ranking = Some(ranking);
        Ok(None)
    }

    /// `m` architectures of the present policy, yet without a score.
    fn draw_candidates(&mut self, m: usize) -> Result<Ranking> {
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
        let rows = self.decode(&places, &rollout)?.into_iter().zip(rollout.end_states()?);
        let reward = RewardValue::exact(0.0);
        let candidates = rows.map(|(arch, state)| Candidate { arch, reward, state }).collect();
        Ok(Ranking { candidates, scored: 0, tick })
    }

    /// Scores one architecture, the `step`-th of its kind.
    pub(crate) fn score_and_report(
        &mut self,
        arch: &Arch,
        latents: Latents<'_>,
        images: usize,
        (kind, step): (TrialKind, u64),
        reporter: &mut dyn Reporter,
    ) -> Result<RewardValue> {
        let begun = Instant::now();
        let reward = self.scorer(latents, images).reward(arch)?;
        let reward = self.finite_reward(reward)?;
        reporter.event(&Event::Scored {
            kind,
            step,
            arch: arch.clone(),
            reward: reward.value,
            spread: reward.spread,
            entropy: None,
            advantage: None,
            seconds: begun.elapsed().as_secs_f64(),
        });
        Ok(reward)
    }

    /// A score that can be ranked and saved.
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
