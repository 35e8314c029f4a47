//! [`PolicyTrainer`] takes training steps of the controller: it follows the policy gradient with Adam (section 3.3).

use autogan_config::PolicyConfig;
use autogan_ops::{Adam, AdamConfig};
use candle_core::DType;

use crate::controller::Controller;
use crate::error::Result;
use crate::reinforce::{Reinforce, mean};
use crate::rollout::Rollout;

/// The numbers of one controller step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// The policy loss before the update.
    pub loss: f64,
    /// The mean of the rewards.
    pub mean_reward: f64,
    /// The moving average after the step.
    pub baseline: f64,
    /// The advantage of each row, as in [`PolicyStep::advantages`](crate::PolicyStep).
    pub advantages: Vec<f64>,
    /// The baseline that was subtracted from every row.
    pub subtracted: f64,
    /// Entropy of a token's distribution, averaged over tokens and rows, in nats.
    pub mean_entropy: f64,
}

/// The optimiser and the baseline that belong to a controller.
#[derive(Debug, Clone)]
pub struct PolicyTrainer {
    /// Adam, with its moments under the controller's parameter names.
    pub optimizer: Adam,
    /// The policy loss with its baseline.
    pub reinforce: Reinforce,
}

impl PolicyTrainer {
    /// Adam's numbers in a configuration.
    pub fn adam(config: &PolicyConfig) -> AdamConfig {
        AdamConfig { lr: config.lr, beta1: config.beta1, beta2: config.beta2, eps: 1e-8 }
    }

    /// A trainer before its first step.
    ///
    /// # Errors
    /// When a number of the configuration is out of range.
    pub fn new(reinforce: &PolicyConfig, adam: AdamConfig) -> Result<Self> {
        Ok(Self { optimizer: Adam::new(adam), reinforce: Reinforce::new(reinforce)? })
    }

    /// Changes the controller so that what was rewarded above the baseline becomes more likely.
    ///
    /// `rollout` comes from this very controller, drawn since its last change; `rewards` holds one value for each
    /// of its rows.
    ///
    /// # Errors
    /// As [`Reinforce::loss`]; nothing has changed then.
    pub fn step(
        &mut self,
        controller: &mut Controller,
        rollout: &Rollout,
        rewards: &[f64],
    ) -> Result<StepReport> {
        let step = self.reinforce.loss(rollout, rewards)?;
        let grads = step.loss.backward()?;
        self.optimizer.step(controller.named_vars(), &grads)?;
        Ok(StepReport {
            loss: step.loss.to_dtype(DType::F64)?.to_scalar()?,
            mean_reward: mean(rewards),
            baseline: self.reinforce.baseline().value().unwrap_or_default(),
            advantages: step.advantages,
            subtracted: step.baseline,
            mean_entropy: rollout.mean_entropy()?,
        })
    }
}
