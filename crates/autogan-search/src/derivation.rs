//! [`Derivation`] is the result of a search, complete or not yet: the architectures that the final ranking kept, and
//! the scores that they are read against.

use autogan_rl::RewardValue;
use autogan_run::{Expectation, FoundArch, Score};
use autogan_space::{Arch, GeneratorShape, derived_generator_cost};
use serde::{Deserialize, Serialize};

use crate::config::SearchConfig;
use crate::error::{Result, SearchError};

/// The state of the final derivation; once it is complete, it is the result.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Derivation {
    /// The best of the ranking; none before its end.
    pub kept: Vec<Arch>,
    /// Their scores on fresh latents, as far as they are known.
    pub rewards: Vec<RewardValue>,
    /// The rewards of the ranking and what is expected of those that were kept, where a model picks. Checkpoints of earlier
    /// versions have none.
    #[serde(default)]
    pub ranked: Vec<(Arch, f64)>,
    #[serde(default)]
    pub expected: Vec<Expectation>,
    /// The score of real images.
    pub real: Option<f64>,
    /// The score of the best architecture with weights that were never trained.
    pub untrained: Option<f64>,
    /// The scores of random architectures, as far as they are known.
    pub random: Vec<f64>,
    /// How many children of the last stage are scored anew. Checkpoints of earlier versions have none.
    #[serde(default)]
    pub drawn: usize,
}

impl Derivation {
    /// The kept architectures with their fresh scores, the best first.
    ///
    /// Their order is that of the rewards, which a cost term may lower, or of what a model expects of them; the scores are
    /// as they were taken.
    fn top(&self, config: &SearchConfig) -> Vec<Ranked> {
        let scores = self.kept.iter().cloned().zip(self.rewards.iter().copied());
        let expected = self.expected.iter().copied().map(Some).chain(std::iter::repeat(None));
        let mut top: Vec<Ranked> = scores
            .zip(expected)
            .map(|((arch, score), expected)| Ranked { arch, score, expected })
            .collect();
        let reward = |r: &Ranked| match r.expected {
            Some(expected) => expected.mean,
            None => r.score.value - config.penalty(&r.arch),
        };
        top.sort_by(|a, b| reward(b).total_cmp(&reward(a)));
        top
    }

    /// The best of the kept architectures.
    pub fn best(&self, config: &SearchConfig) -> Result<(Arch, RewardValue)> {
        let none = || SearchError::Checkpoint("its derivation keeps no architecture".into());
        let best = self.top(config).into_iter().next().ok_or_else(none)?;
        Ok((best.arch, best.score))
    }

    /// The score of the best, with the scores to read it against, once all of them are known.
    pub fn score(&self, config: &SearchConfig) -> Option<Score> {
        let all =
            self.rewards.len() == self.kept.len() && self.random.len() >= config.derive.random;
        let score = Score {
            real: self.real?,
            untrained: self.untrained?,
            best: self.best(config).ok()?.1.value,
            median_random: median(self.random.clone())?,
        };
        all.then_some(score)
    }

    /// The kept architectures as `arch.json` lists them.
    pub fn found(&self, config: &SearchConfig) -> Vec<FoundArch> {
        found_archs(self.top(config), &config.model.shape())
    }
}

/// An architecture with its score, and what a model expects of it where one picks.
pub(crate) struct Ranked {
    pub arch: Arch,
    pub score: RewardValue,
    pub expected: Option<Expectation>,
}

/// Ranked architectures as `arch.json` lists them, the best first, with what their generators of this shape cost.
pub(crate) fn found_archs(
    ranked: impl IntoIterator<Item = Ranked>,
    shape: &GeneratorShape,
) -> Vec<FoundArch> {
    let found = ranked.into_iter().zip(1..).map(|(Ranked { arch, score, expected }, rank)| {
        let cost = derived_generator_cost(&arch, shape);
        FoundArch {
            rank,
            named: arch.named(),
            arch,
            reward: score.value,
            spread: score.spread,
            expected,
            params: cost.params,
            macs: cost.macs,
        }
    });
    found.collect()
}

/// The middle value, or the mean of the two in the middle; none of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
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
