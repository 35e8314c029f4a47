//! [`Baseline`] is a moving average of rewards; subtracting it lowers the policy gradient's variance (section 3.3).

use serde::{Deserialize, Serialize};

use crate::BaselineOrder;
use crate::error::{Result, RlError};

/// An exponential moving average, initialised by the first reward.
///
/// Plain data: serialise it into the checkpoint, and the search goes on as if it had not been interrupted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    decay: f64,
    order: BaselineOrder,
    /// Empty before the first reward, one value, or one for each token with the released loss.
    values: Vec<f64>,
}

impl Baseline {
    /// A baseline before its first reward; `decay` is the weight of the old value.
    ///
    /// # Errors
    /// When `decay` is not in [0, 1).
    pub fn new(decay: f64, order: BaselineOrder) -> Result<Self> {
        if !(0.0..1.0).contains(&decay) {
            let (key, expected) = ("baseline_decay", "a number in [0, 1)");
            return Err(RlError::Config { key, expected, found: decay.to_string() });
        }
        Ok(Self { decay, order, values: Vec::new() })
    }

    /// Weight of the old value, in [0, 1).
    pub fn decay(&self) -> f64 {
        self.decay
    }

    /// Whether a reward counts in the baseline that is subtracted from it.
    pub fn order(&self) -> BaselineOrder {
        self.order
    }

    /// The average so far, the mean over tokens with the released loss; none before the first reward.
    pub fn value(&self) -> Option<f64> {
        let n = self.values.len();
        (n > 0).then(|| self.values.iter().sum::<f64>() / n as f64)
    }

    /// Forgets every reward.
    pub fn restart(&mut self) {
        self.values.clear();
    }

    /// Returns R − b for each reward of a batch, and the subtracted b; updates the average by the batch's mean.
    ///
    /// # Errors
    /// When there is no reward or one is not finite; the baseline is then unchanged.
    pub fn advantages(&mut self, rewards: &[f64]) -> Result<(Vec<f64>, f64)> {
        if rewards.is_empty() {
            return Err(RlError::Empty("reward"));
        }
        check_finite(rewards)?;
        let mean = rewards.iter().sum::<f64>() / rewards.len() as f64;
        let old = self.value().unwrap_or(mean);
        let new = self.decay * old + (1.0 - self.decay) * mean;
        // The first reward is the first value as it is, whatever the rounding of the line above.
        let new = if self.values.is_empty() { mean } else { new };
        self.values = vec![new];
        let subtracted = match self.order {
            BaselineOrder::SubtractThenUpdate => old,
            BaselineOrder::UpdateThenSubtract => new,
        };
        Ok((rewards.iter().map(|r| r - subtracted).collect(), subtracted))
    }

    /// The values for each token of the released loss; none before the first reward.
    pub(crate) fn per_token(&self) -> Option<&[f64]> {
        (!self.values.is_empty()).then_some(self.values.as_slice())
    }

    pub(crate) fn set_per_token(&mut self, values: Vec<f64>) {
        self.values = values;
    }
}

/// Refuses rewards that are infinite or not a number.
pub(crate) fn check_finite(rewards: &[f64]) -> Result<()> {
    match rewards.iter().position(|r| !r.is_finite()) {
        Some(index) => Err(RlError::Reward { index, value: rewards[index] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtracts_before_it_updates() {
        let mut b = Baseline::new(0.9, BaselineOrder::SubtractThenUpdate).unwrap();
        assert_eq!(b.value(), None);
        assert_eq!(b.advantages(&[2.0]).unwrap(), (vec![0.0], 2.0));
        assert_eq!(b.value(), Some(2.0));
        // Batch of 3: all minus 2.0, then 0.9 · 2 + 0.1 · mean(3, 5, 7) = 2.3.
        assert_eq!(b.advantages(&[3.0, 5.0, 7.0]).unwrap(), (vec![1.0, 3.0, 5.0], 2.0));
        assert!((b.value().unwrap() - 2.3).abs() < 1e-12);
    }

    #[test]
    fn updates_before_it_subtracts() {
        let mut b = Baseline::new(0.9, BaselineOrder::UpdateThenSubtract).unwrap();
        assert_eq!(b.advantages(&[2.0]).unwrap(), (vec![0.0], 2.0));
        // 0.9 · 2 + 0.1 · 4 = 2.2, 4 − 2.2 = 0.9 · (4 − 2).
        let (a, subtracted) = b.advantages(&[4.0]).unwrap();
        assert!((a[0] - 1.8).abs() < 1e-12, "{a:?}");
        assert_eq!(Some(subtracted), b.value());
        b.restart();
        assert_eq!(b.value(), None);
        assert_eq!(b.advantages(&[10.0]).unwrap(), (vec![0.0], 10.0));
    }

    #[test]
    fn first_batch_is_compared_with_its_own_mean() {
        let mut b = Baseline::new(0.9, BaselineOrder::SubtractThenUpdate).unwrap();
        assert_eq!(b.advantages(&[1.0, 2.0, 6.0]).unwrap(), (vec![-2.0, -1.0, 3.0], 3.0));
        assert_eq!(b.value(), Some(3.0));
    }

    #[test]
    fn a_bad_reward_leaves_it_unchanged() {
        let mut b = Baseline::new(0.9, BaselineOrder::SubtractThenUpdate).unwrap();
        b.advantages(&[2.0]).unwrap();
        for bad in [f64::NAN, f64::INFINITY] {
            let error = b.advantages(&[1.0, bad]).unwrap_err();
            assert!(matches!(error, RlError::Reward { index: 1, .. }), "{error}");
        }
        assert!(b.advantages(&[]).is_err());
        assert_eq!(b.value(), Some(2.0));
        assert!(Baseline::new(1.0, BaselineOrder::SubtractThenUpdate).is_err());
        assert!(Baseline::new(f64::NAN, BaselineOrder::SubtractThenUpdate).is_err());
    }
}
