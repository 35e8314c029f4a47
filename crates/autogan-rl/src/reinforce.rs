//! From rewards to a differentiable loss: configuration, baseline and choice of the policy loss.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::baseline::{Baseline, BaselineOrder, check_finite};
use crate::error::{Result, RlError};
use crate::loss::{advantage_loss, entropy_in_reward_loss, released_loss};
use crate::rollout::Rollout;

/// Which policy loss is used; they differ in where the entropy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyLoss {
    /// [`advantage_loss`]: entropy as a term of its own, any batch.
    EntropyBonus,
    /// [`entropy_in_reward_loss`]: the paper's text, any batch. The baseline averages R + c · ΣH.
    EntropyInReward,
    /// [`released_loss`]: the released code, batch 1 only.
    Released,
}

/// Everything about the policy gradient but the optimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReinforceConfig {
    /// Where the entropy goes.
    pub loss: PolicyLoss,
    /// Weight c of the entropy, 0 or more, in units of reward per nat.
    pub entropy_weight: f64,
    /// Weight of the old value in the moving average, in [0, 1).
    pub baseline_decay: f64,
    /// Whether a reward counts in the baseline that is subtracted from it.
    pub baseline_order: BaselineOrder,
    /// Whether every search iteration starts with a fresh baseline.
    pub restart_baseline: bool,
}

impl ReinforceConfig {
    /// The project's default: the paper with its defects mended.
    pub fn standard() -> Self {
        Self {
            loss: PolicyLoss::EntropyBonus,
            entropy_weight: 1e-4,
            baseline_decay: 0.9,
            baseline_order: BaselineOrder::SubtractThenUpdate,
            restart_baseline: false,
        }
    }

    /// The paper's text.
    pub fn paper() -> Self {
        Self { loss: PolicyLoss::EntropyInReward, ..Self::standard() }
    }

    /// The released code.
    pub fn released() -> Self {
        Self {
            loss: PolicyLoss::Released,
            entropy_weight: 1e-3,
            baseline_decay: 0.9,
            baseline_order: BaselineOrder::UpdateThenSubtract,
            restart_baseline: true,
        }
    }
}

/// A loss and what went into it.
#[derive(Debug, Clone)]
pub struct PolicyStep {
    /// Scalar, connected to the controller's parameters.
    pub loss: Tensor,
    /// One for each row; with the released loss one for each token.
    pub advantages: Vec<f64>,
}

/// The policy gradient's state: its configuration and the moving average.
#[derive(Debug, Clone, PartialEq)]
pub struct Reinforce {
    config: ReinforceConfig,
    baseline: Baseline,
}

impl Reinforce {
    /// Before the first reward.
    ///
    /// # Errors
    /// When the entropy weight is negative or not finite, or the decay is not in [0, 1).
    pub fn new(config: &ReinforceConfig) -> Result<Self> {
        let c = config.entropy_weight;
        if !(c.is_finite() && c >= 0.0) {
            let found = c.to_string();
            return Err(RlError::Config { key: "entropy_weight", expected: "0 or more", found });
        }
        let baseline = Baseline::new(config.baseline_decay, config.baseline_order)?;
        Ok(Self { config: config.clone(), baseline })
    }

    /// The configuration.
    pub fn config(&self) -> &ReinforceConfig {
        &self.config
    }

    /// The moving average, for a checkpoint or a plot.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Puts a moving average back that a checkpoint holds.
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

    /// To be called at the start of every search iteration: restarts the baseline where that is configured.
    pub fn begin_iteration(&mut self) {
        if self.config.restart_baseline {
            self.baseline.restart();
        }
    }

    /// The loss for one batch, and the update of the baseline.
    ///
    /// # Errors
    /// When there is not one finite reward for each row, or the released loss gets more than one row; the baseline
    /// is then unchanged.
    pub fn loss(&mut self, rollout: &Rollout, rewards: &[f64]) -> Result<PolicyStep> {
        let (expected, found) = (rollout.batch(), rewards.len());
        if expected != found {
            return Err(RlError::Length {
                what: "rewards",
                expected,
                found,
                per: "row of the batch",
            });
        }
        check_finite(rewards)?;
        let c = self.config.entropy_weight;
        match self.config.loss {
            PolicyLoss::EntropyBonus => {
                let advantages = self.baseline.advantages(rewards)?;
                let loss = advantage_loss(&rollout.log_probs, &rollout.entropies, &advantages, c)?;
                Ok(PolicyStep { loss, advantages })
            }
            PolicyLoss::EntropyInReward => {
                let entropies = rollout.entropies.to_dtype(DType::F64)?.sum(1)?.to_vec1::<f64>()?;
                let raised: Vec<f64> =
                    rewards.iter().zip(&entropies).map(|(r, h)| r + c * h).collect();
                let advantages = self.baseline.advantages(&raised)?;
                let loss = entropy_in_reward_loss(&rollout.log_probs, &advantages)?;
                Ok(PolicyStep { loss, advantages })
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
                Ok(PolicyStep { loss: step.loss, advantages: step.advantages })
            }
        }
    }
}
