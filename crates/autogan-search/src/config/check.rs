//! What a configuration must hold before a search begins.

use std::collections::BTreeMap;

use super::{PolicyLoss, SearchConfig};
use crate::error::{Result, SearchError};

/// Keys and sections that may change while a run goes on.
const FREE: [&str; 2] = ["search.iterations", "derive"];
/// Keys and sections that say what is in a checkpoint or where a run is: with another value it cannot go on.
const FIXED: [&str; 8] = [
    "preset",
    "seed",
    "data",
    "model",
    "search.grow_at",
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
        self.check_sizes()?;
        self.check_rates()?;
        self.check_plan()?;
        Ok(self)
    }

    /// Whether a run of `self` can go on with `next`. The number of iterations and what the final derivation does may
    /// differ; other keys only if `allowed` names them or their section, and never one that says what is in a checkpoint
    /// or where a run is (the message lists them).
    ///
    /// # Errors
    /// When something else differs, with its keys; when `allowed` names what is no key or one that cannot change.
    pub fn check_continues(&self, next: &Self, allowed: &[String]) -> Result<()> {
        let (old, new) = (flat(self)?, flat(next)?);
        for key in allowed {
            if !old.keys().any(|known| is_in(known, key)) {
                let known: Vec<&str> = old.keys().map(String::as_str).collect();
                return Err(SearchError::config("--may-change", known.join(", "), key));
            }
            if let Some(fixed) = FIXED.iter().find(|fixed| is_in(key, fixed)) {
                let expected = format!("a key that can change while a run goes on, unlike {fixed}");
                return Err(SearchError::config("--may-change", expected, key));
            }
        }
        let may = |key: &str| {
            let fixed = FIXED.iter().any(|fixed| is_in(key, fixed));
            let free = FREE.iter().any(|free| is_in(key, free));
            free || (!fixed && allowed.iter().any(|allowed| is_in(key, allowed)))
        };
        let changed: Vec<String> = old
            .iter()
            .filter(|(key, value)| new.get(*key) != Some(value) && !may(key))
            .map(|(key, value)| {
                let now = new.get(key).map_or("nothing".into(), toml::Value::to_string);
                format!("{key} (was {value}, is {now})")
            })
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let expected = format!(
            "a run that goes on to change {} alone, or what --may-change KEY names (never {})",
            FREE.join(", "),
            FIXED.join(", ")
        );
        Err(SearchError::config("the run's configuration", expected, changed.join(", ")))
    }

    fn check_sizes(&self) -> Result<()> {
        let r = &self.reward;
        let positive = [
            ("model.latent", self.model.latent),
            ("model.gf", self.model.gf),
            ("model.df", self.model.df),
            ("model.bottom", self.model.bottom),
            ("train.d_batch", self.train.d_batch),
            ("train.g_batch", self.train.g_batch),
            ("train.n_critic", self.train.n_critic),
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
            require(value > 0, key, "1 or more", value)?;
        }
        let calibrated = r.recalibrate_batches == 0 || r.recalibrate_batch > 0;
        require(calibrated, "reward.recalibrate_batch", "1 or more", r.recalibrate_batch)?;
        let images = format!("at least reward.splits ({}) images", r.splits);
        require(r.images >= r.splits, "reward.images", &images, r.images)?;
        require(self.derive.images >= r.splits, "derive.images", &images, self.derive.images)?;
        require(self.reset.window >= 2, "reset.window", "2 or more", self.reset.window)
    }

    fn check_rates(&self) -> Result<()> {
        let rates = [
            ("train.d_lr", self.train.d_lr),
            ("train.g_lr", self.train.g_lr),
            ("controller.lr", self.controller.lr),
        ];
        for (key, value) in rates {
            require(value.is_finite() && value > 0.0, key, "a number above 0", value)?;
        }
        let decays = [
            ("train.beta1", self.train.beta1),
            ("train.beta2", self.train.beta2),
            ("train.ema_decay", self.train.ema_decay),
            ("controller.beta1", self.controller.beta1),
            ("controller.beta2", self.controller.beta2),
            ("controller.baseline_decay", self.controller.baseline_decay),
        ];
        for (key, value) in decays {
            require((0.0..1.0).contains(&value), key, "a number in [0, 1)", value)?;
        }
        let weight = self.controller.entropy_weight;
        require(
            weight.is_finite() && weight >= 0.0,
            "controller.entropy_weight",
            "0 or more",
            weight,
        )?;
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
        let ordered = 0 < first && first < second && second < p.iterations;
        let expected = format!("0 < first < second < search.iterations ({})", p.iterations);
        require(ordered, "search.grow_at", &expected, format!("{:?}", p.grow_at))?;
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

/// Every value by its dotted key.
fn flat(config: &SearchConfig) -> Result<BTreeMap<String, toml::Value>> {
    let table = toml::Table::try_from(config).map_err(|e| SearchError::ConfigText {
        origin: "this configuration".into(),
        message: e.to_string(),
    })?;
    let mut all = BTreeMap::new();
    for (section, value) in table {
        match value {
            toml::Value::Table(keys) => {
                all.extend(
                    keys.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)),
                );
            }
            value => drop(all.insert(section, value)),
        }
    }
    Ok(all)
}

/// Whether `key` is `named`, or lies in the section of this name.
fn is_in(key: &str, named: &str) -> bool {
    key.strip_prefix(named).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn require(holds: bool, key: &str, expected: &str, found: impl ToString) -> Result<()> {
    if holds { Ok(()) } else { Err(SearchError::config(key, expected, found.to_string())) }
}
