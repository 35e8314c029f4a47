//! [`Reinforce`] turns the rewards of a batch into a differentiable loss: it keeps the baseline and picks the policy loss.

use autogan_config::{EntropyUnit, PolicyConfig};
use candle_core::{DType, Tensor};

use crate::PolicyLoss;
use crate::baseline::{Baseline, check_finite};
use crate::error::{Result, RlError};
use crate::loss::{advantage_loss, entropy_in_reward_loss, released_loss};
use crate::rollout::Rollout;
use crate::spread::RewardSpread;

/// A loss and what went into it.
#[derive(Debug, Clone)]
pub struct PolicyStep {
    /// The loss, a scalar, connected to the controller's parameters.
    pub loss: Tensor,
    /// One for each row: what was rewarded (with the entropy, where the loss adds it) less `baseline`. With the released
    /// loss, whose advantages differ from token to token, their mean.
    pub advantages: Vec<f64>,
    /// What was subtracted from every row; with the released loss the mean over the tokens.
    pub baseline: f64,
}

/// The policy gradient's state: its configuration and the moving average.
#[derive(Debug, Clone, PartialEq)]
pub struct Reinforce {
    config: PolicyConfig,
    baseline: Baseline,
    spread: RewardSpread,
}

impl Reinforce {
    /// A policy gradient before its first reward.
    ///
    /// # Errors
    /// When the entropy weight is negative or not finite, or the decay is not in [0, 1).
    pub fn new(config: &PolicyConfig) -> Result<Self> {
        let c = config.entropy_weight;
        if !(c.is_finite() && c >= 0.0) {
            let found = c.to_string();
            return Err(RlError::Config { key: "entropy_weight", expected: "0 or more", found });
        }
        let baseline = Baseline::new(config.baseline_decay, config.baseline_order)?;
        Ok(Self { config: config.clone(), baseline, spread: RewardSpread::default() })
    }

    /// The moving average, for a checkpoint or a plot.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Restores the moving average that a checkpoint holds.
    ///
    /// # Errors
    /// When its decay or order is not the configured one.
    pub fn set_baseline(&mut self, baseline: Baseline) -> Result<()> {
        if (baseline.decay(), baseline.order()) != (self.baseline.decay(), self.baseline.order()) {
            let found = format!("{} and {:?}", baseline.decay(), baseline.order());
            let expected = "the decay and order of this run's configuration";
            return Err(RlError::Config { key: "baseline", expected, found });
        }
        self.baseline = baseline;
        Ok(())
    }

    /// The spread of the rewards, for a checkpoint.
    pub fn spread(&self) -> &RewardSpread {
        &self.spread
    }

    /// Restores the spread that a checkpoint holds.
    pub fn set_spread(&mut self, spread: RewardSpread) {
        self.spread = spread;
    }

    /// Restarts the baseline where that is configured; to be called at the start of every search iteration.
    pub fn begin_iteration(&mut self) {
        self.spread.begin_iteration();
        if self.config.restart_baseline {
            self.baseline.restart();
        }
    }

    /// What the entropy's weight is multiplied by for a batch with these rewards.
    fn entropy_unit(&mut self, rewards: &[f64]) -> f64 {
        match self.config.entropy_unit {
            EntropyUnit::Reward => 1.0,
            EntropyUnit::Spread => {
                self.spread.add(rewards);
                self.spread.value()
            }
        }
    }

    /// The loss for one batch, and the update of the baseline.
    ///
    /// # Errors
    /// When there is not one finite reward for each row, or the released loss gets more than one row; the baseline
    /// is then unchanged.
    pub fn loss(&mut self, rollout: &Rollout, rewards: &[f64]) -> Result<PolicyStep> {
        RlError::check_length("rewards", rollout.batch(), rewards.len(), "row of the batch")?;
        check_finite(rewards)?;
        let c = self.config.entropy_weight * self.entropy_unit(rewards);
        match self.config.loss {
            PolicyLoss::EntropyBonus => {
                let (advantages, baseline) = self.baseline.advantages(rewards)?;
                let loss = advantage_loss(&rollout.log_probs, &rollout.entropies, &advantages, c)?;
                Ok(PolicyStep { loss, advantages, baseline })
            }
            PolicyLoss::EntropyInReward => {
                let entropies = rollout.entropies.to_dtype(DType::F64)?.sum(1)?.to_vec1::<f64>()?;
                let raised: Vec<f64> =
                    rewards.iter().zip(&entropies).map(|(r, h)| r + c * h).collect();
                let (advantages, baseline) = self.baseline.advantages(&raised)?;
                let loss = entropy_in_reward_loss(&rollout.log_probs, &advantages)?;
                Ok(PolicyStep { loss, advantages, baseline })
            }
            PolicyLoss::Released => {
                let step = released_loss(
                    &rollout.log_probs,
                    &rollout.entropies,
                    rewards[0],
                    self.baseline.per_token(),
                    self.baseline.decay(),
                    self.baseline.order(),
                    c,
                )?;
                self.baseline.set_per_token(step.baseline);
                let (advantages, baseline) = (vec![mean(&step.advantages)], mean(&step.subtracted));
                Ok(PolicyStep { loss: step.loss, advantages, baseline })
            }
        }
    }
}

/// The mean of the values; NaN where there are none.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BaselineOrder;
    use autogan_config::{Configuration, SearchConfig};
    use autogan_space::TokenKind;
    use candle_core::Device;

    /// The controller's settings in the preset of a search, with a weight of the entropy that shows.
    fn preset(name: &str) -> PolicyConfig {
        let controller = SearchConfig::preset(name, &[]).unwrap().controller;
        PolicyConfig { entropy_weight: 0.1, ..controller }
    }

    /// One rollout of two tokens with these entropies; nothing else of it counts here.
    fn rollout(entropies: &[[f64; 2]]) -> Rollout {
        let tensor = |rows: &[[f64; 2]]| {
            Tensor::from_vec(rows.concat(), (rows.len(), 2), &Device::Cpu).unwrap()
        };
        let nothing = Tensor::zeros((entropies.len(), 1), DType::F64, &Device::Cpu).unwrap();
        Rollout {
            actions: vec![vec![0, 0]; entropies.len()],
            logits: Vec::new(),
            probs: Vec::new(),
            log_probs: tensor(&vec![[-0.5, -1.0]; entropies.len()]),
            entropies: tensor(entropies),
            end_h: nothing.clone(),
            end_c: nothing,
            last: TokenKind::Norm,
        }
    }

    fn close(step: &PolicyStep, advantages: &[f64], baseline: f64) {
        let same = |a: f64, b: f64| (a - b).abs() < 1e-12;
        let rows = step.advantages.iter().zip(advantages).all(|(&a, &b)| same(a, b));
        assert!(step.advantages.len() == advantages.len() && rows, "{step:?}");
        assert!(same(step.baseline, baseline), "expected {baseline}, found {}", step.baseline);
    }

    #[test]
    fn each_of_two_rows_has_its_own_advantage_over_one_baseline() {
        let rows = rollout(&[[0.5, 1.0], [0.6, 0.4]]);
        let config = preset("cifar10");
        let mut reinforce = Reinforce::new(&config).unwrap();
        // The first batch is compared with its own mean.
        close(&reinforce.loss(&rows, &[3.0, 1.0]).unwrap(), &[1.0, -1.0], 2.0);
        close(&reinforce.loss(&rows, &[4.0, 2.5]).unwrap(), &[2.0, 0.5], 2.0);
        // 0.9 · 2 + 0.1 · 3.25
        close(&reinforce.loss(&rows, &[2.125, 2.0]).unwrap(), &[0.0, -0.125], 2.125);
    }

    #[test]
    fn the_entropy_in_the_reward_is_in_advantages_and_baseline() {
        let rows = rollout(&[[0.5, 1.0], [0.6, 0.4]]);
        let config = preset("paper");
        let mut reinforce = Reinforce::new(&config).unwrap();
        // R + 0.1 · ΣH: 3.15 and 1.1, with mean 2.125; then 4.15 and 2.1.
        close(&reinforce.loss(&rows, &[3.0, 1.0]).unwrap(), &[1.025, -1.025], 2.125);
        close(&reinforce.loss(&rows, &[4.0, 2.0]).unwrap(), &[2.025, -0.025], 2.125);
        let order = BaselineOrder::UpdateThenSubtract;
        let mut reinforce =
            Reinforce::new(&PolicyConfig { baseline_order: order, ..config }).unwrap();
        reinforce.loss(&rows, &[3.0, 1.0]).unwrap();
        // 0.9 · 2.125 + 0.1 · 3.125 = 2.225
        close(&reinforce.loss(&rows, &[4.0, 2.0]).unwrap(), &[1.925, -0.125], 2.225);
    }

    #[test]
    fn the_released_loss_tells_means_over_tokens() {
        let config = preset("released");
        let mut reinforce = Reinforce::new(&config).unwrap();
        let row = rollout(&[[0.5, 1.0]]);
        // r = (3.05, 3.1) is its own first baseline; then b = 0.9 · (3.05, 3.1) + 0.1 · (4.05, 4.1) = (3.15, 3.2).
        close(&reinforce.loss(&row, &[3.0]).unwrap(), &[0.0], 3.075);
        close(&reinforce.loss(&row, &[4.0]).unwrap(), &[0.9], 3.175);
    }

    /// 1 / FID is a hundred times smaller than the Inception Score: one weight means the same for both.
    #[test]
    fn a_weight_in_units_of_the_spread_follows_the_scale_of_the_rewards() {
        let rows = rollout(&[[0.5, 1.0], [0.6, 0.4]]);
        let advantages = |unit: EntropyUnit, scale: f64| {
            let config = PolicyConfig { entropy_unit: unit, ..preset("paper") };
            let mut reinforce = Reinforce::new(&config).unwrap();
            let mut all = Vec::new();
            for rewards in [[3.0, 1.0], [4.0, 2.5], [3.5, 3.0]] {
                let step = reinforce.loss(&rows, &rewards.map(|r| r * scale)).unwrap();
                all.extend(step.advantages.iter().map(|a| a / scale));
                reinforce.begin_iteration();
            }
            all
        };
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        let [one, small] = [1.0, 0.01].map(|scale| advantages(EntropyUnit::Spread, scale));
        assert!(near(&one, &small), "{one:?} {small:?}");
        let [one, small] = [1.0, 0.01].map(|scale| advantages(EntropyUnit::Reward, scale));
        assert!(!near(&one, &small), "the weight alone is of one scale");
        // The spread of 3 and 1 is √2: advantages of 3 + 0.1·√2·1.5 and 1 + 0.1·√2·1.0 over their mean.
        let first = advantages(EntropyUnit::Spread, 1.0)[0];
        assert!((first - (1.0 + 0.1 * 2.0f64.sqrt() * 0.25)).abs() < 1e-12, "{first}");
    }
}
