//! The [`Reward`] trait scores an architecture; the controller learns from that score.

use autogan_space::Arch;
use serde::{Deserialize, Serialize};

/// A score; larger is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardValue {
    /// The score, in the scorer's own unit.
    pub value: f64,
    /// Its standard deviation over the scorer's splits or repetitions, in the same unit; 0 where there is one only.
    pub spread: f64,
}

impl RewardValue {
    /// A score without spread.
    pub fn exact(value: f64) -> Self {
        Self { value, spread: 0.0 }
    }
}

/// Scores architectures. Implemented by whoever trains a controller.
pub trait Reward {
    /// The error of a scoring that fails.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The score of one architecture.
    ///
    /// # Errors
    /// When it cannot be scored; training then stops.
    fn reward(&mut self, arch: &Arch) -> Result<RewardValue, Self::Error>;

    /// The scores of several architectures, in their order. Override it where scoring together is cheaper.
    ///
    /// # Errors
    /// As [`Reward::reward`].
    fn rewards(&mut self, archs: &[Arch]) -> Result<Vec<RewardValue>, Self::Error> {
        archs.iter().map(|arch| self.reward(arch)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(usize);

    #[derive(Debug, thiserror::Error)]
    #[error("no more")]
    struct NoMore;

    impl Reward for Count {
        type Error = NoMore;

        fn reward(&mut self, arch: &Arch) -> Result<RewardValue, NoMore> {
            self.0 = self.0.checked_sub(1).ok_or(NoMore)?;
            Ok(RewardValue::exact(arch.cells().len() as f64))
        }
    }

    #[test]
    fn batches_keep_their_order_and_stop_at_the_first_error() {
        let archs = [Arch::AUTOGAN_A, Arch::AUTOGAN_A.prefix(1), Arch::AUTOGAN_A.prefix(2)];
        let found: Vec<f64> = Count(3).rewards(&archs).unwrap().iter().map(|r| r.value).collect();
        assert_eq!(found, [3.0, 1.0, 2.0]);
        assert!(Count(2).rewards(&archs).is_err());
    }
}
