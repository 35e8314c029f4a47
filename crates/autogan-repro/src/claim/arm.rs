//! An [`Arm`] of the claim is a way to find an architecture.

use autogan_config::{Configuration, SearchConfig, TrainingConfig};
use autogan_space::Arch;

use super::prices::Prices;
use super::rules::Rules;
use crate::error::Result;
use crate::table::{TABLE_PRESET, TABLE_SETTINGS};

/// A way to find an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    /// The proposed default: trainings from scratch that a model leads.
    Led,
    /// The paper's controller on shared weights.
    Controller,
    /// Random search with weight sharing.
    Shared,
    /// Random search without, with early stopping (Li and Talwalkar 2019, *Random search and reproducibility for neural
    /// architecture search*).
    Early,
    /// Random search whose winner is picked by a model.
    Modelled,
    /// The hand-made network: nothing is searched.
    HandMade,
}

/// The sizes of the table, which all searches have.
const SIZES: [&str; 5] = [
    "data.dataset=cifar10",
    "model.gf=16",
    "model.df=16",
    "model.latent=32",
    "reward.scorer=compact-cifar10",
];

impl Arm {
    /// All of them.
    pub const ALL: [Arm; 6] = {
        use Arm::*;
        [Led, Controller, Shared, Early, Modelled, HandMade]
    };

    /// Those with which the proposed default is compared.
    pub const COMPARED: [Arm; 3] = [Arm::Shared, Arm::Early, Arm::HandMade];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Arm::Led => "led",
            Arm::Controller => "controller",
            Arm::Shared => "random-shared",
            Arm::Early => "random-early",
            Arm::Modelled => "random-modelled",
            Arm::HandMade => "hand-made",
        }
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Arm::Led => "the proposed default",
            Arm::Controller => "the paper's controller",
            Arm::Shared => "random search with weight sharing",
            Arm::Early => "random search without, early stopping",
            Arm::Modelled => "random search, picked by a model",
            Arm::HandMade => "the hand-made network",
        }
    }

    /// The arm of this name.
    pub fn of_name(name: &str) -> Option<Arm> {
        Arm::ALL.into_iter().find(|arm| arm.name() == name)
    }

    /// Whether it is a search on shared weights, of which several architectures are trained to keep the best.
    pub fn shares_weights(self) -> bool {
        matches!(self, Arm::Controller | Arm::Shared)
    }

    /// The strategy that asks for trainings from scratch, where there is one.
    fn strategy(self) -> Option<&'static str> {
        match self {
            Arm::Led => Some("led_halving"),
            Arm::Early => Some("asha"),
            Arm::Modelled => Some("random_model"),
            Arm::Controller | Arm::Shared | Arm::HandMade => None,
        }
    }

    /// The architecture that is known without a search.
    pub fn known(self) -> Option<Arch> {
        (self == Arm::HandMade).then_some(Arch::HAND_MADE)
    }

    /// The configuration of its search, whose images lie in `dir`; `None` where nothing is searched.
    ///
    /// # Errors
    /// When the settings do not fit the preset.
    pub fn search(
        self,
        seed: u64,
        dir: &str,
        (rules, prices): (&Rules, &Prices),
    ) -> Result<Option<SearchConfig>> {
        if self.known().is_some() {
            return Ok(None);
        }
        let supernet = if self.shares_weights() { rules.supernet } else { &[] };
        let own = match self {
            Arm::Controller => rules.controller,
            Arm::Shared => rules.shared,
            _ => &[],
        };
        let all = SIZES.iter().chain(rules.search).chain(supernet).chain(own);
        let settings: Vec<String> = all.map(|text| (*text).to_owned()).collect();
        let mut config = SearchConfig::preset("quick", &settings)?;
        config.seed = seed;
        dir.clone_into(&mut config.data.dir);
        if let Some(strategy) = self.strategy() {
            strategy.clone_into(&mut config.strategy.name);
            config.strategy.budget = (rules.budget / prices.training[2]).floor();
            config.strategy.image_cost = prices.image_in_iterations();
            config.reward.images = rules.images;
        }
        Ok(Some(config.checked()?))
    }

    /// What a search of this arm costs at most, in seconds of one thread by the price list.
    ///
    /// # Errors
    /// When its configuration does not fit the preset.
    pub fn price(self, (rules, prices): (&Rules, &Prices)) -> Result<f64> {
        let Some(config) = self.search(0, "", (rules, prices))? else { return Ok(0.0) };
        Ok(match self.shares_weights() {
            true => prices.of_supernet(&config, rules),
            false => config.strategy.budget * prices.training[2],
        })
    }
}

/// The configuration of a training from scratch, by which winners are picked and judged: that of the table.
///
/// # Errors
/// When the settings do not fit the preset.
pub(super) fn training(arch: &Arch, seed: u64, rules: &Rules) -> Result<TrainingConfig> {
    let all = TABLE_SETTINGS.iter().chain(rules.training);
    let settings: Vec<String> = all.map(|text| (*text).to_owned()).collect();
    let mut config = TrainingConfig::preset(TABLE_PRESET, &settings)?;
    (config.arch, config.seed) = (arch.clone(), seed);
    config.schedule.g_iterations = rules.length;
    config.schedule.score_every = rules.length;
    config.score.images = rules.images;
    Ok(config.checked()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for arm in Arm::ALL {
            assert_eq!(Arm::of_name(arm.name()), Some(arm));
        }
        assert_eq!(Arm::of_name("luck"), None);
    }

    #[test]
    fn all_searches_have_the_same_price() {
        let (rules, prices) = (&Rules::CLAIM, &Prices::of_claim().unwrap());
        for arm in Arm::ALL {
            let price = arm.price((rules, prices)).unwrap();
            let fair = price <= rules.budget && price > 0.95 * rules.budget;
            match arm.known() {
                Some(_) => assert_eq!(price, 0.0),
                None => assert!(fair, "{arm:?}: {price}"),
            }
        }
    }

    #[test]
    fn searches_train_as_their_winners_are_trained() {
        let by = (&Rules::CLAIM, &Prices::of_claim().unwrap());
        let training = training(&Arch::HAND_MADE, 3, by.0).unwrap();
        for arm in Arm::ALL {
            let Some(search) = arm.search(7, "", by).unwrap() else { continue };
            assert_eq!((search.seed, &search.train), (7, &training.train), "{arm:?}");
            assert_eq!((&search.model, &search.data), (&training.model, &training.data), "{arm:?}");
            assert_eq!(search.strategy.is_supernet(), arm.shares_weights());
            assert_eq!(search.strategy.lengths[2], by.0.length);
        }
    }
}
