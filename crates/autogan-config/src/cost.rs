//! This module computes what architectures cost under a configuration: the budget that they are drawn within, and what
//! the reward loses.

use autogan_space::{
    Arch, Budget, Cost, GeneratorShape, MAX_CELLS, SpaceError, dearest_cost, derived_generator_cost,
};

use crate::error::{ConfigError, Result};
use crate::{Levels, ModelConfig, RewardCost, SearchConfig};

impl ModelConfig {
    /// Returns the sizes of the networks for which cost is counted.
    pub fn shape(&self) -> GeneratorShape {
        GeneratorShape { latent: self.latent, width: self.gf, bottom: self.bottom }
    }
}

impl SearchConfig {
    /// The stage that a search begins with, from 0.
    pub fn first_stage(&self) -> usize {
        match self.search.levels {
            Levels::Multi => 0,
            Levels::Single => MAX_CELLS - 1,
        }
    }

    /// Returns the budget that decides which architectures may be drawn.
    ///
    /// # Errors
    /// When none stays within `[budget]`; the message names the smallest feasible value.
    pub fn allowed(&self) -> Result<Budget> {
        let limit = |value: u64| (value > 0).then_some(value);
        let (params, macs) = (limit(self.budget.max_params), limit(self.budget.max_macs));
        let alone = |key: &str, params, macs| {
            Budget::new(self.model.shape(), params, macs).map_err(|error| match error {
                SpaceError::Budget { least, found, what } => {
                    let expected = format!(
                        "0 (no limit) or at least {least}, the {what} of the cheapest generator of these sizes"
                    );
                    ConfigError::value(key, expected, found)
                }
                other => other.into(),
            })
        };
        alone("budget.max_params", params, None)?;
        alone("budget.max_macs", params, macs)
    }

    /// Returns what `arch` loses of its score because of its cost: `cost_weight · cost / reference`, the reference
    /// being the cost of the dearest architecture with as many cells; 0 without a cost term.
    pub fn penalty(&self, arch: &Arch) -> f64 {
        let part: fn(Cost) -> u64 = match self.reward.cost {
            RewardCost::None => return 0.0,
            RewardCost::Params => |cost| cost.params,
            RewardCost::Macs => |cost| cost.macs,
        };
        let shape = self.model.shape();
        let own = part(derived_generator_cost(arch, &shape));
        let reference = part(dearest_cost(arch.stage(), &shape));
        self.reward.cost_weight * own as f64 / reference as f64
    }
}
