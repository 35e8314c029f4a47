//! A [`RewardScale`] brings rewards of different iterations together: each is standardised among those of its own.

/// The mean and the standard deviation of some rewards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RewardScale {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of these rewards themselves (divided by their number); 0 where all are equal.
    pub deviation: f64,
}

impl RewardScale {
    /// The scale of finite rewards; of none, mean and deviation are 0.
    pub fn of(rewards: &[f64]) -> Self {
        let n = rewards.len().max(1) as f64;
        let mean = rewards.iter().sum::<f64>() / n;
        let squares: f64 = rewards.iter().map(|r| (r - mean) * (r - mean)).sum();
        let deviation = (squares / n).sqrt();
        // Equal rewards can differ from their mean by its rounding.
        let largest = rewards.iter().fold(0.0, |most: f64, r| most.max(r.abs()));
        let deviation = if deviation > 1e-12 * largest { deviation } else { 0.0 };
        Self { mean, deviation }
    }

    /// The reward less the mean, in standard deviations; 0 where there is no deviation.
    pub fn standardise(&self, reward: f64) -> f64 {
        if self.deviation > 0.0 { (reward - self.mean) / self.deviation } else { 0.0 }
    }

    /// The reward of which [`Self::standardise`] makes `value`, where there is a deviation; the mean otherwise.
    pub fn restore(&self, value: f64) -> f64 {
        self.mean + self.deviation * value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standardised(rewards: &[f64]) -> Vec<f64> {
        let scale = RewardScale::of(rewards);
        rewards.iter().map(|&r| scale.standardise(r)).collect()
    }

    #[test]
    fn by_hand() {
        let scale = RewardScale::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(scale, RewardScale { mean: 5.0, deviation: 2.0 });
        assert_eq!([9.0, 5.0, 4.0].map(|r| scale.standardise(r)), [2.0, 0.0, -0.5]);
        assert_eq!([2.0, 0.0].map(|v| scale.restore(v)), [9.0, 5.0]);
        assert_eq!(standardised(&[3.0, 1.0]), [1.0, -1.0]);
    }

    #[test]
    fn a_shift_and_a_scale_change_nothing() {
        let rewards = [1.25, -0.5, 3.75, 0.0, 2.0];
        let plain = standardised(&rewards);
        for (scale, shift) in [(1.0, 100.0), (0.001, 0.0), (250.0, -7.0)] {
            let moved: Vec<f64> = rewards.iter().map(|r| scale * r + shift).collect();
            for (found, expected) in standardised(&moved).iter().zip(&plain) {
                assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
        }
    }

    #[test]
    fn equal_rewards_become_zero_whatever_their_rounding() {
        assert_eq!(standardised(&[0.1; 3]), [0.0; 3]);
        assert_eq!(standardised(&[-1e9 / 3.0; 7]), [0.0; 7]);
        assert_eq!(standardised(&[4.0]), [0.0]);
        assert_eq!(RewardScale::of(&[]), RewardScale { mean: 0.0, deviation: 0.0 });
    }
}
