//! A [`StrategyKind`] makes a strategy by its name, or makes a saved one again.

use crate::asha::Asha;
use crate::error::{Result, StrategyError};
use crate::evolution::Evolution;
use crate::halving::Halving;
use crate::led::LedHalving;
use crate::local_search::LocalSearch;
use crate::model::ModelKind;
use crate::random::Random;
use crate::random_model::RandomModel;
use crate::softmax::Softmax;
use crate::strategy::{Problem, Strategy};
use crate::thompson::Thompson;

/// A strategy that can be made by name.
///
/// A crate with strategies of its own has a list of its own; whoever offers strategies joins the lists.
#[derive(Clone, Copy, Debug)]
pub struct StrategyKind {
    /// The name, as a command line gives it.
    pub name: &'static str,
    /// Makes the strategy at its beginning; its random draws follow from the seed.
    pub new: fn(Problem, u64) -> Result<Box<dyn Strategy>>,
    /// Makes the strategy that [`Strategy::save`] wrote.
    pub restore: fn(Problem, serde_json::Value) -> Result<Box<dyn Strategy>>,
}

/// The kind of a type that has a `NAME`, a `new` and a `restore`.
macro_rules! kind {
    ($strategy:ty) => {
        StrategyKind {
            name: <$strategy>::NAME,
            new: |problem, seed| Ok(Box::new(<$strategy>::new(problem, seed)?)),
            restore: |problem, state| Ok(Box::new(<$strategy>::restore(problem, state)?)),
        }
    };
}

/// Thompson sampling with a model.
macro_rules! thompson {
    ($name:literal, $model:expr) => {
        StrategyKind {
            name: $name,
            new: |problem, seed| Ok(Box::new(Thompson::new(problem, $model, seed)?)),
            restore: |problem, state| Ok(Box::new(Thompson::restore(problem, $model, state)?)),
        }
    };
}

impl StrategyKind {
    /// The strategies of this crate.
    pub const ALL: &[Self] = &[
        kind!(Random),
        kind!(Evolution),
        kind!(LocalSearch),
        kind!(Halving),
        kind!(Asha),
        kind!(Softmax),
        kind!(RandomModel),
        thompson!("ridge_thompson", ModelKind::Ridge),
        thompson!("gaussian_thompson", ModelKind::Gaussian),
        kind!(LedHalving),
    ];

    /// The strategy of this crate with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name).collect();
            StrategyError::Problem {
                what: "the name of a strategy",
                expected: format!("one of {}", names.join(", ")),
                found: format!("'{name}'"),
            }
        })
    }

    /// The strategy at its beginning.
    ///
    /// # Errors
    /// When the problem does not fit the strategy.
    pub fn build(&self, problem: Problem, seed: u64) -> Result<Box<dyn Strategy>> {
        (self.new)(problem, seed)
    }

    /// The strategy that was saved.
    ///
    /// # Errors
    /// When the state is of another strategy or of another problem.
    pub fn restore(&self, problem: Problem, state: serde_json::Value) -> Result<Box<dyn Strategy>> {
        (self.restore)(problem, state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Space;
    use crate::testing::{assert_resumes, problem};

    #[test]
    fn every_kind_makes_the_strategy_of_its_name() {
        let problem = problem(Space::of_archs(1), true, 20.0);
        for kind in StrategyKind::ALL {
            assert_eq!(StrategyKind::named(kind.name).unwrap().name, kind.name);
            let made = kind.build(problem.clone(), 0).unwrap();
            assert_eq!(made.name(), kind.name);
            let again = kind.restore(problem.clone(), made.save().unwrap()).unwrap();
            assert_eq!(again.name(), kind.name);
        }
        let error = StrategyKind::named("magic").unwrap_err().to_string();
        assert!(error.contains("random") && error.contains("'magic'"), "{error}");
    }

    #[test]
    fn every_kind_goes_on_from_any_step_with_the_same_bits() {
        let some: Vec<_> = (0..400).map(|at| Space::of_archs(3).at(at * 901)).collect();
        let listed = Space::of_archs(3).only(some).unwrap();
        for (space, open) in [(Space::of_archs(2), 1), (Space::of_archs(3), 5), (listed, 3)] {
            let problem = problem(space.clone(), true, 60.0);
            for kind in StrategyKind::ALL {
                let queries = assert_resumes(kind, &problem, open);
                assert!(queries.len() >= 60, "{}: {}", kind.name, queries.len());
                assert!(queries.iter().all(|query| space.contains(&query.point)), "{}", kind.name);
            }
        }
    }

    #[test]
    fn a_small_space_ends_and_does_not_hang() {
        let problem = problem(Space::of_archs(1), true, 1e6);
        for kind in StrategyKind::ALL {
            let mut strategy = kind.build(problem.clone(), 3).unwrap();
            let mut told = 0;
            while let Some(query) = strategy.ask(1).unwrap().first().filter(|_| told < 500) {
                told += 1;
                strategy.tell(&crate::testing::observation(query, None)).unwrap();
            }
            assert!(told >= 36, "{}: {told}", kind.name);
            assert_eq!(strategy.best().unwrap(), None, "{}", kind.name);
        }
    }

    #[test]
    fn a_state_of_another_strategy_or_problem_is_an_error() {
        let [small, large] = [1, 3].map(|cells| problem(Space::of_archs(cells), true, 20.0));
        for kind in StrategyKind::ALL {
            assert!(kind.restore(small.clone(), serde_json::json!({ "other": 1 })).is_err());
            let mut strategy = kind.build(large.clone(), 0).unwrap();
            let queries = strategy.ask(3).unwrap();
            strategy.tell(&crate::testing::observation(&queries[0], Some(1.0))).unwrap();
            let state = strategy.save().unwrap();
            assert!(kind.restore(small.clone(), state).is_err(), "{}", kind.name);
        }
    }
}
