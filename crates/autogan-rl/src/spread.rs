//! [`RewardSpread`] measures how far rewards of one iteration lie apart, so that the entropy's weight can follow their scale.

use serde::{Deserialize, Serialize};

/// The standard deviation of the rewards of an iteration.
///
/// Plain data: serialise it into the checkpoint, and the search goes on as if it had not been interrupted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardSpread {
    /// That of the last iteration that had two rewards or more.
    earlier: Option<f64>,
    /// The rewards of this iteration.
    rewards: Vec<f64>,
}

impl RewardSpread {
    /// Adds rewards of this iteration.
    pub fn add(&mut self, rewards: &[f64]) {
        self.rewards.extend(rewards);
    }

    /// Ends an iteration.
    pub fn begin_iteration(&mut self) {
        self.earlier = deviation(&self.rewards).or(self.earlier);
        self.rewards.clear();
    }

    /// The standard deviation in the iteration before; before there is one, that of the rewards so far, and 0 of fewer than
    /// two.
    pub fn value(&self) -> f64 {
        self.earlier.or_else(|| deviation(&self.rewards)).unwrap_or(0.0)
    }
}

/// The standard deviation of a sample; none of fewer than two values.
fn deviation(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (n >= 2.0).then(|| (squares / (n - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_iteration_before_and_at_first_that_of_the_rewards_so_far() {
        let mut spread = RewardSpread::default();
        assert_eq!(spread.value(), 0.0);
        spread.add(&[3.0]);
        assert_eq!(spread.value(), 0.0, "one reward has no spread");
        spread.add(&[5.0]);
        assert_eq!(spread.value(), 2.0f64.sqrt());
        spread.add(&[4.0]);
        spread.begin_iteration();
        assert_eq!(spread.value(), 1.0);
        spread.add(&[0.0, 20.0]);
        assert_eq!(spread.value(), 1.0, "rewards of this iteration do not count yet");
        spread.begin_iteration();
        assert_eq!(spread.value(), 200.0f64.sqrt());
        spread.begin_iteration();
        assert_eq!(spread.value(), 200.0f64.sqrt(), "an iteration without rewards changes nothing");
    }
}
