//! What a configuration must hold before a search begins.

use super::change::check_continues;
use super::{Levels, ModelConfig, PolicyLoss, RewardCost, RewardMetric, SearchConfig, TrainConfig};
use crate::error::{Result, SearchError};

/// Keys and sections that may change while a run goes on.
const FREE: [&str; 2] = ["search.iterations", "derive"];
/// Keys and sections that say what is in a checkpoint or where a run is: with another value it cannot go on.
const FIXED: [&str; 11] = [
    "preset",
    "seed",
    "data",
    "model",
    "budget",
    "search.levels",
    "search.grow_at",
    "controller.policy",
    "controller.hidden",
    "controller.tokens",
    "controller.first_input",
];

impl SearchConfig {
    /// The configuration itself, when every value is possible and they fit each other.
    ///
    /// # Errors
    /// When one is not: the message names the key, what it may be and what was found.
    pub fn checked(self) -> Result<Self> {
        self.model.check()?;
        self.train.check()?;
        self.check_sizes()?;
        self.check_rates()?;
        self.check_plan()?;
        self.allowed()?;
        Ok(self)
    }

    /// Whether `images` training images are enough: the Fréchet distance of a set to itself is 0, so what is scored must
    /// be well below what it is compared with.
    ///
    /// # Errors
    /// When they are not: the message names the keys.
    pub fn check_images(&self, images: usize) -> Result<()> {
        let most = images / 2;
        let wanted = self.reward.images.max(self.derive.images);
        let expected =
            format!("at most {most}, half of the images, with reward.metric = \"inverse_fid\"");
        let fits = self.reward.metric != RewardMetric::InverseFid || wanted <= most;
        require(fits, "reward.images, derive.images", &expected, wanted)
    }

    /// Whether a run of `self` can go on with `next`. The number of iterations and what the final derivation does may
    /// differ; other keys only if `allowed` names them or their section, and never one that says what is in a checkpoint
    /// or where a run is (the message lists them).
    ///
    /// # Errors
    /// When something else differs, with its keys; when `allowed` names what is no key or one that cannot change.
    pub fn check_continues(&self, next: &Self, allowed: &[String]) -> Result<()> {
        check_continues(self, next, allowed, &FREE, &FIXED)
    }

    fn check_sizes(&self) -> Result<()> {
        let r = &self.reward;
        let positive = [
            ("search.iterations", self.search.iterations),
            ("search.shared_epochs", self.search.shared_epochs),
            ("search.candidates", self.search.candidates),
            ("search.top_k", self.search.top_k),
            ("controller.hidden", self.controller.hidden),
            ("controller.children", self.controller.children),
            ("reward.images", r.images),
            ("reward.splits", r.splits),
            ("reward.batch", r.batch),
            ("derive.candidates", self.derive.candidates),
            ("derive.top_k", self.derive.top_k),
            ("derive.images", self.derive.images),
            ("derive.random", self.derive.random),
        ];
        for (key, value) in positive {
            check_count(key, value)?;
        }
        let calibrated = r.recalibrate_batches == 0 || r.recalibrate_batch > 0;
        require(calibrated, "reward.recalibrate_batch", "1 or more", r.recalibrate_batch)?;
        let images = format!("at least reward.splits ({}) images", r.splits);
        require(r.images >= r.splits, "reward.images", &images, r.images)?;
        require(self.derive.images >= r.splits, "derive.images", &images, self.derive.images)?;
        require(self.reset.window >= 2, "reset.window", "2 or more", self.reset.window)
    }

    fn check_rates(&self) -> Result<()> {
        check_rate("controller.lr", self.controller.lr)?;
        let decays = [
            ("controller.beta1", self.controller.beta1),
            ("controller.beta2", self.controller.beta2),
            ("controller.baseline_decay", self.controller.baseline_decay),
        ];
        for (key, value) in decays {
            check_decay(key, value)?;
        }
        let weight = self.controller.entropy_weight;
        require(
            weight.is_finite() && weight >= 0.0,
            "controller.entropy_weight",
            "0 or more",
            weight,
        )?;
        let (cost, weight) = (self.reward.cost, self.reward.cost_weight);
        match cost {
            RewardCost::None => require(
                weight == 0.0,
                "reward.cost_weight",
                "0 with reward.cost = \"none\"",
                weight,
            )?,
            RewardCost::Params | RewardCost::Macs => require(
                weight.is_finite() && weight > 0.0,
                "reward.cost_weight",
                "above 0 with reward.cost other than \"none\"",
                weight,
            )?,
        }
        let threshold = self.reset.threshold;
        require(
            threshold.is_finite() && threshold >= 0.0,
            "reset.threshold",
            "0 or more",
            threshold,
        )
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

impl ModelConfig {
    /// Whether the networks can have these sizes.
    pub(crate) fn check(&self) -> Result<()> {
        let sizes = [
            ("model.latent", self.latent),
            ("model.gf", self.gf),
            ("model.df", self.df),
            ("model.bottom", self.bottom),
        ];
        sizes.into_iter().try_for_each(|(key, value)| check_count(key, value))
    }
}

impl TrainConfig {
    /// Whether networks can be trained so.
    pub(crate) fn check(&self) -> Result<()> {
        check_count("train.d_batch", self.d_batch)?;
        check_count("train.g_batch", self.g_batch)?;
        check_count("train.n_critic", self.n_critic)?;
        check_rate("train.d_lr", self.d_lr)?;
        check_rate("train.g_lr", self.g_lr)?;
        check_decay("train.beta1", self.beta1)?;
        check_decay("train.beta2", self.beta2)?;
        check_decay("train.ema_decay", self.ema_decay)
    }
}

/// A number of things of which there must be some.
pub(crate) fn check_count(key: &str, value: usize) -> Result<()> {
    require(value > 0, key, "1 or more", value)
}

fn check_rate(key: &str, value: f64) -> Result<()> {
    require(value.is_finite() && value > 0.0, key, "a number above 0", value)
}

fn check_decay(key: &str, value: f64) -> Result<()> {
    require((0.0..1.0).contains(&value), key, "a number in [0, 1)", value)
}

/// An error that names the key, unless `holds`.
pub(crate) fn require(holds: bool, key: &str, expected: &str, found: impl ToString) -> Result<()> {
    if holds { Ok(()) } else { Err(SearchError::config(key, expected, found.to_string())) }
}
