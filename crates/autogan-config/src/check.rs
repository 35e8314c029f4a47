//! This module checks whether the values of a search's configuration fit each other.

use crate::configuration::{Configuration, Presets, presets};
use crate::error::{ConfigError, Result};
use crate::keys::Values;
use crate::{
    CandidatesFrom, Levels, LrDecay, PolicyLoss, RewardCost, SearchConfig, SharedSampling,
};

impl Configuration for SearchConfig {
    const PRESETS: Presets =
        presets!("search": "quick", "cifar10-cpu", "cifar10", "stl10", "paper", "released");
    const KEYS: Values = Self::SECTION;
    const FREE: &'static [&'static str] = &["search.iterations", "derive"];
    const FIXED: &'static [&'static str] = &[
        "preset",
        "seed",
        "data",
        "model",
        "budget",
        "strategy",
        "search.levels",
        "search.grow_at",
        "controller.policy",
        "controller.hidden",
        "controller.tokens",
        "controller.first_input",
    ];
    const ADDED: &'static str = "
        strategy = { name = 'supernet', budget = 400000.0, lengths = [5000, 10000, 20000], at_once = 1, image_cost = 0.02, supernet_iterations = 0 }
        data = { drop_alpha = false }
        model = { spectral_warm_up = 15 }
        train = { adam = 'skip_idle' }
        search = { levels = 'multi', candidates_from = 'policy', pick = 'score', restart_steps = false, shared_sampling = 'policy' }
        reset = { check = 'g_step' }
        controller = { policy = 'reinforce', entropy_unit = 'reward', distinct_within = 'none' }
        reward = { cost = 'none', cost_weight = 0.0, standardise = 'none', latents = 'step' }
        budget = { max_params = 0, max_macs = 0 }
        derive = { drawn = 0 }";

    fn check_together(&self) -> Result<()> {
        self.check_reward()?;
        self.check_plan()?;
        self.check_sampling()?;
        self.check_strategy()?;
        self.allowed()?;
        Ok(())
    }
}

impl SearchConfig {
    /// Checks whether `images` training images are enough: the Fréchet distance of a set to itself is 0, so what is
    /// scored must be well below what it is compared with.
    ///
    /// # Errors
    /// When they are not: the message names the keys.
    pub fn check_images(&self, images: usize) -> Result<()> {
        let most = images / 2;
        let wanted = self.reward.images.max(self.derive.images);
        let metric = self.reward.metric;
        let expected = format!(
            "at most {most}, half of the images, with reward.metric = \"{}\"",
            metric.name()
        );
        let fits = !metric.is_frechet() || wanted <= most;
        require(fits, "reward.images, derive.images", &expected, wanted)
    }

    fn check_reward(&self) -> Result<()> {
        let r = &self.reward;
        let calibrated = r.recalibrate_batches == 0 || r.recalibrate_batch > 0;
        require(calibrated, "reward.recalibrate_batch", "1 or more", r.recalibrate_batch)?;
        let images = format!("at least reward.splits ({}) images", r.splits);
        require(r.images >= r.splits, "reward.images", &images, r.images)?;
        require(self.derive.images >= r.splits, "derive.images", &images, self.derive.images)?;
        let (fits, expected) = match r.cost {
            RewardCost::None => (r.cost_weight == 0.0, "0 with reward.cost = \"none\""),
            RewardCost::Params | RewardCost::Macs => {
                (r.cost_weight > 0.0, "above 0 with reward.cost other than \"none\"")
            }
        };
        require(fits, "reward.cost_weight", expected, r.cost_weight)
    }

    /// A limit leaves choices that go together, and then they cannot all come equally often.
    fn check_sampling(&self) -> Result<()> {
        let (sampling, b) = (self.search.shared_sampling, &self.budget);
        let fits = sampling != SharedSampling::Fair || (b.max_params == 0 && b.max_macs == 0);
        let expected = "\"policy\" or \"uniform\" with budget.max_params or budget.max_macs";
        require(fits, "search.shared_sampling", expected, sampling.name())
    }

    fn check_strategy(&self) -> Result<()> {
        let lengths = self.strategy.lengths;
        let rise = lengths.is_sorted_by(|a, b| a < b);
        let expected = "each longer than the one before";
        require(rise, "strategy.lengths", expected, format!("{lengths:?}"))?;
        // A shorter training goes on as a longer one: the step size must not depend on the length.
        let decay = self.train.lr_decay;
        let fits = self.strategy.is_supernet() || decay == LrDecay::Constant;
        let expected = "\"constant\" with a strategy.name other than \"supernet\"";
        require(fits, "train.lr_decay", expected, decay.name())?;
        let (warm, budget) = (self.strategy.supernet_iterations, self.strategy.budget);
        let fits = self.strategy.is_supernet() || (warm as f64) < budget;
        let expected = format!("less than strategy.budget ({budget})");
        require(fits, "strategy.supernet_iterations", &expected, warm)
    }

    fn check_plan(&self) -> Result<()> {
        let p = &self.search;
        let [first, second] = p.grow_at;
        let (fits, expected) = match p.levels {
            Levels::Multi => (
                0 < first && first < second && second < p.iterations,
                format!("0 < first < second < search.iterations ({})", p.iterations),
            ),
            Levels::Single => (
                p.grow_at == [0, 0],
                "[0, 0] with search.levels = \"single\", which does not grow".to_owned(),
            ),
        };
        require(fits, "search.grow_at", &expected, format!("{:?}", p.grow_at))?;
        let expected = format!("at most search.candidates ({})", p.candidates);
        require(p.top_k <= p.candidates, "search.top_k", &expected, p.top_k)?;
        let expected = format!("at most derive.candidates ({})", self.derive.candidates);
        require(
            self.derive.top_k <= self.derive.candidates,
            "derive.top_k",
            &expected,
            self.derive.top_k,
        )?;
        let steps = self.controller.steps;
        require(
            p.candidates_from != CandidatesFrom::Model || steps > 0,
            "controller.steps",
            "1 or more with search.candidates_from = \"model\", for the model learns from children",
            steps,
        )?;
        let released = self.controller.loss == PolicyLoss::Released;
        let children = self.controller.children;
        require(
            !released || children == 1,
            "controller.children",
            "1 with controller.loss = \"released\"",
            children,
        )
    }
}

/// An error that names the key, unless `holds`.
pub(crate) fn require(holds: bool, key: &str, expected: &str, found: impl ToString) -> Result<()> {
    if holds { Ok(()) } else { Err(ConfigError::value(key, expected, found)) }
}
