//! [`Expected`] is what a model expects of a stage's architectures. It learns from all scores of the stage, so that one
//! lucky score does not decide which of them are picked.

use autogan_rl::{Candidate, RewardValue};
use autogan_run::Expectation;
use autogan_space::Arch;
use autogan_strategies::{Point, ScoreLevel, Space, Surrogate};

use crate::config::{CandidatesFrom, Pick};
use crate::derivation::Derivation;
use crate::error::{Result, SearchError};
use crate::search::Search;

/// Architectures with their rewards, all scored in the same way.
type Scored = [(Arch, f64)];

/// A model of the architectures of a stage, fitted to their rewards.
pub(crate) struct Expected {
    model: Surrogate,
}

impl Expected {
    /// A model of architectures with so many cells. It is fitted to the rewards of children, and to those of rankings,
    /// which need not have the same unit; it expects rewards of the last ranking. Those without any entry are left out.
    fn of(cells: usize, children: &Scored, rankings: &[&Scored]) -> Result<Self> {
        let space = Space::of_archs(cells);
        let points = |scored: &Scored| -> Result<Vec<(Point, f64)>> {
            scored.iter().map(|(arch, reward)| Ok((point(&space, arch)?, *reward))).collect()
        };
        let children = points(children)?;
        let rankings: Vec<_> = rankings.iter().map(|one| points(one)).collect::<Result<_>>()?;
        let own = ScoreLevel { name: "children", shares_unit: false, scores: &children };
        let levels =
            rankings.iter().map(|scores| ScoreLevel { name: "ranking", shares_unit: true, scores });
        let levels: Vec<_> = std::iter::once(own).chain(levels).collect();
        let model = Surrogate::of_scores(space.clone(), &levels)?;
        Ok(Self { model })
    }

    /// What is expected of an architecture.
    pub fn belief(&self, arch: &Arch) -> Result<Expectation> {
        let point = point(&self.model.problem().space, arch)?;
        let belief = self.model.fitted()?.belief(&point);
        Ok(Expectation { mean: belief.mean, sd: belief.sd })
    }

    /// The expected reward of an architecture: the mean of [`belief`](Self::belief), which takes less time.
    fn mean(&self, arch: &Arch) -> Result<f64> {
        let point = point(&self.model.problem().space, arch)?;
        Ok(self.model.fitted()?.mean(&point))
    }

    /// The architectures of which the most is expected, the best first; the earlier one of equals.
    fn best(&self, archs: Vec<Arch>, m: usize) -> Result<Vec<Arch>> {
        let valued = archs.into_iter().map(|arch| Ok((self.mean(&arch)?, arch)));
        let mut valued: Vec<(f64, Arch)> = valued.collect::<Result<_>>()?;
        valued.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut best = Vec::new();
        for (_, arch) in valued {
            if best.len() < m && !best.contains(&arch) {
                best.push(arch);
            }
        }
        Ok(best)
    }
}

fn point(space: &Space, arch: &Arch) -> Result<Point> {
    let other = || SearchError::Checkpoint(format!("its stage has no architecture {arch}"));
    space.point(arch).ok_or_else(other)
}

impl Search {
    /// Whether there is a model of the children.
    pub(crate) fn has_model(&self) -> bool {
        self.picks_by_model() || self.config.search.candidates_from == CandidatesFrom::Model
    }

    /// Whether a model picks.
    pub(crate) fn picks_by_model(&self) -> bool {
        self.config.search.pick == Pick::Model
    }

    /// The `m` architectures of which a model of the stage's children expects the most, among `archs`.
    pub(crate) fn most_expected(&self, archs: Vec<Arch>, m: usize) -> Result<Vec<Arch>> {
        Expected::of(self.position.stage + 1, &self.rewards, &[])?.best(archs, m)
    }

    /// What a ranking picks by: the rewards of its candidates, or what a model expects of them.
    pub(crate) fn to_pick_by(&self, mut ranked: Vec<Candidate>) -> Result<Vec<Candidate>> {
        if self.picks_by_model() {
            let scored = rewards_of(&ranked);
            let model = Expected::of(self.position.stage + 1, &self.rewards, &[&scored])?;
            for candidate in &mut ranked {
                let value = model.mean(&candidate.arch)?;
                candidate.reward = RewardValue { value, ..candidate.reward };
            }
        }
        Ok(ranked)
    }

    /// What a model expects of the architectures that were kept, after their scores on fresh latents.
    pub(crate) fn expect_of_kept(&self, d: &Derivation) -> Result<Vec<Expectation>> {
        let kept = d.kept.iter().zip(&d.rewards);
        let fresh: Vec<(Arch, f64)> =
            kept.map(|(arch, score)| (arch.clone(), self.reward_of(arch, *score).value)).collect();
        let model = Expected::of(self.position.stage + 1, &self.rewards, &[&d.ranked, &fresh])?;
        d.kept.iter().map(|arch| model.belief(arch)).collect()
    }
}

/// The rewards of candidates.
pub(crate) fn rewards_of(candidates: &[Candidate]) -> Vec<(Arch, f64)> {
    candidates.iter().map(|candidate| (candidate.arch.clone(), candidate.reward.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use autogan_space::Upsample;

    /// A value of its own for each upsampling.
    fn up(arch: &Arch) -> f64 {
        match arch.cells()[0].upsample {
            Upsample::Deconv => 0.0,
            Upsample::Nearest => 1.0,
            Upsample::Bilinear => 2.0,
        }
    }

    /// Rewards that the upsampling decides, each with its own error.
    fn scored(stage: usize, unit: f64, error: impl Fn(usize) -> f64) -> Vec<(Arch, f64)> {
        let all = Arch::enumerate(stage).enumerate();
        let reward = |(i, arch): (usize, Arch)| {
            let reward = unit * (up(&arch) + error(i));
            (arch, reward)
        };
        all.map(reward).collect()
    }

    #[test]
    fn a_lucky_score_does_not_decide() {
        // One of those with the worst upsampling has by luck the highest reward.
        let worst = Arch::enumerate(0).position(|arch| up(&arch) == 0.0).unwrap();
        let error = |i: usize| if i == worst { 2.7 } else { (i * 7 % 11) as f64 / 20.0 };
        let scored = scored(0, 1.0, error);
        let highest = scored.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        let archs: Vec<Arch> = scored.iter().map(|(arch, _)| arch.clone()).collect();
        let best = Expected::of(1, &scored, &[]).unwrap().best(archs, 5).unwrap();
        assert_eq!((best.len(), up(&highest.0)), (5, 0.0));
        assert!(best.iter().all(|arch| up(arch) == 2.0), "{best:?}");
    }

    #[test]
    fn beliefs_have_the_unit_of_the_last_ranking() {
        let children = scored(0, 1.0, |i| 0.1 * (i % 3) as f64);
        let ranking: Vec<(Arch, f64)> =
            scored(0, 100.0, |i| 0.1 * (i % 2) as f64).into_iter().step_by(5).collect();
        let model = Expected::of(1, &children, &[&ranking]).unwrap();
        for (arch, reward) in scored(0, 100.0, |_| 0.05) {
            let belief = model.belief(&arch).unwrap();
            // The children, whose unit is another, say how far apart the upsamplings are, but not how much that is here.
            assert!((belief.mean - reward).abs() < 3.0 * belief.sd, "{belief:?} {reward}");
            assert!(belief.sd > 0.0 && belief.sd < 40.0, "{belief:?}");
            assert_eq!((belief.mean / 100.0 - 0.05).round(), up(&arch), "{belief:?}");
            assert!((belief.mean - model.mean(&arch).unwrap()).abs() < 1e-9);
        }
    }

    #[test]
    fn an_architecture_of_another_stage_is_an_error() {
        let model = Expected::of(1, &scored(0, 1.0, |_| 0.0), &[]).unwrap();
        assert!(model.belief(&Arch::AUTOGAN_A).unwrap_err().to_string().contains("stage"));
    }
}
