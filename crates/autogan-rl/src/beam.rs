//! A [`Beam`] goes from one stage to the next: the K best candidates with the controller's vectors (section 3.2, MLAS).

use autogan_space::Arch;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::error::{Result, RlError};
use crate::reward::RewardValue;
use crate::rollout::StartState;

/// A scored architecture, and where a controller that extends it starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The cells so far.
    pub arch: Arch,
    /// Its score.
    pub reward: RewardValue,
    /// The controller's vectors after its last token, and that token.
    pub state: StartState,
}

/// Candidates, the best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Beam(Vec<Candidate>);

impl Beam {
    /// The `k` candidates with the highest rewards, or all where there are fewer; the earlier one of equals.
    ///
    /// # Errors
    /// When `k` is 0, there is no candidate, or a reward is not finite.
    pub fn top_k(mut candidates: Vec<Candidate>, k: usize) -> Result<Self> {
        if k == 0 || candidates.is_empty() {
            return Err(RlError::Empty("candidate for the beam"));
        }
        let values: Vec<f64> = candidates.iter().map(|c| c.reward.value).collect();
        crate::baseline::check_finite(&values)?;
        candidates.sort_by(|a, b| b.reward.value.total_cmp(&a.reward.value));
        candidates.truncate(k);
        Ok(Self(candidates))
    }

    /// The candidates, the best first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.0
    }

    /// Draws `batch` entries, each as likely as any other, with repetition; returns their places in the beam.
    pub fn draw<R: Rng + ?Sized>(&self, batch: usize, rng: &mut R) -> Vec<usize> {
        (0..batch).map(|_| rng.random_range(0..self.0.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn candidate(n: u64, value: f64) -> Candidate {
        let arch = Arch::nth(0, n).unwrap();
        let mut state = StartState::zeros(2);
        state.h[0] = n as f32;
        Candidate { arch, reward: RewardValue::exact(value), state }
    }

    #[test]
    fn keeps_the_best_and_the_earlier_of_equals() {
        let values = [1.0, 3.0, 2.0, 3.0, 0.5];
        let all = (0..).zip(values).map(|(n, v)| candidate(n, v)).collect();
        let beam = Beam::top_k(all, 3).unwrap();
        let order: Vec<f32> = beam.candidates().iter().map(|c| c.state.h[0]).collect();
        assert_eq!(order, [1.0, 3.0, 2.0]);
    }

    #[test]
    fn refuses_nothing_and_bad_rewards() {
        assert!(Beam::top_k(Vec::new(), 3).is_err());
        assert!(Beam::top_k(vec![candidate(0, 1.0)], 0).is_err());
        assert!(Beam::top_k(vec![candidate(0, f64::NAN)], 1).is_err());
    }

    #[test]
    fn draws_every_entry_and_survives_serialisation() {
        let beam = Beam::top_k((0..4).map(|n| candidate(n, n as f64)).collect(), 4).unwrap();
        let places = beam.draw(400, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
        for place in 0..4 {
            let count = places.iter().filter(|&&p| p == place).count();
            // 100 expected, standard deviation 8.7
            assert!((60..140).contains(&count), "{place}: {count}");
        }
        let json = serde_json::to_string(&beam).unwrap();
        assert_eq!(serde_json::from_str::<Beam>(&json).unwrap(), beam);
    }
}
