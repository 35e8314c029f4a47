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
    use crate::testing::{LENGTHS, WARMED, WHOLE, assert_resumes, observation, problem, query};
    use crate::{Observation, Space};

    #[test]
    fn every_kind_makes_the_strategy_of_its_name() {
        let problem = problem(Space::of_archs(1), LENGTHS, 20.0);
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
        let all = Space::of_archs;
        for (space, fidelities, open) in
            [(all(1), WHOLE, 3), (all(2), LENGTHS, 1), (all(3), WARMED, 5), (listed, LENGTHS, 3)]
        {
            let problem = problem(space.clone(), fidelities, 60.0);
            for kind in StrategyKind::ALL {
                let queries = assert_resumes(kind, &problem, open);
                let least = space.count().min(60);
                assert!(queries.len() >= least, "{}: {}", kind.name, queries.len());
                assert!(queries.iter().all(|query| space.contains(&query.point)), "{}", kind.name);
            }
        }
    }

    #[test]
    fn a_small_space_ends_and_does_not_hang() {
        let problem = problem(Space::of_archs(1), LENGTHS, 1e5);
        for kind in StrategyKind::ALL {
            let mut strategy = kind.build(problem.clone(), 3).unwrap();
            let mut told = 0;
            while let Some(query) = strategy.ask(1).unwrap().first().filter(|_| told < 500) {
                told += 1;
                strategy.tell(&observation(query, None)).unwrap();
            }
            assert!(told >= 36, "{}: {told}", kind.name);
            assert_eq!(strategy.best().unwrap(), None, "{}", kind.name);
        }
    }

    #[test]
    fn the_end_of_the_budget_is_the_drivers() {
        let problem = problem(Space::of_archs(2), WHOLE, 20.0);
        for kind in StrategyKind::ALL {
            let mut strategy = kind.build(problem.clone(), 3).unwrap();
            let query = strategy.ask(1).unwrap().remove(0);
            let cost = 2.0 * problem.budget;
            strategy.tell(&Observation { cost, ..observation(&query, Some(1.0)) }).unwrap();
            // A bracket of led halving is one training here; it plans none that the rest of the budget does not pay for.
            let plans = kind.name == LedHalving::NAME;
            assert_eq!(strategy.ask(1).unwrap().is_empty(), plans, "{}", kind.name);
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_never_the_best() {
        let problem = problem(Space::of_archs(2), WHOLE, 40.0);
        for kind in StrategyKind::ALL {
            let mut strategy = kind.build(problem.clone(), 3).unwrap();
            let mut best = None;
            for value in [f64::NAN, f64::INFINITY, 1.0, f64::NEG_INFINITY, f64::INFINITY] {
                let query = strategy.ask(1).unwrap().remove(0);
                strategy.tell(&observation(&query, Some(value))).unwrap();
                best = best.or(value.is_finite().then_some(query.point));
                let believed = strategy.best().unwrap();
                assert!(believed.as_ref().is_none_or(|b| b.mean.is_finite()), "{}", kind.name);
                assert_eq!(believed.map(|belief| belief.point), best, "{}", kind.name);
            }
        }
    }

    #[test]
    fn a_result_that_nobody_asked_for_is_an_error() {
        let problem = problem(Space::of_archs(2), WHOLE, 40.0);
        for kind in StrategyKind::ALL {
            let mut strategy = kind.build(problem.clone(), 3).unwrap();
            let told = observation(&query(problem.space.at(7), 0, 0), Some(1.0));
            let error = strategy.tell(&told).unwrap_err().to_string();
            assert!(error.contains("not told yet"), "{}: {error}", kind.name);
        }
    }

    #[test]
    fn a_state_of_another_strategy_is_an_error() {
        let problem = problem(Space::of_archs(1), LENGTHS, 20.0);
        for kind in StrategyKind::ALL {
            let error = kind.restore(problem.clone(), serde_json::json!({ "other": 1 }));
            let text = error.err().unwrap().to_string();
            assert!(text.contains(kind.name), "{text}");
        }
    }

    #[test]
    fn a_state_of_another_problem_is_refused_by_what_differs() {
        let of = |cells, fidelities| problem(Space::of_archs(cells), fidelities, 20.0);
        let here = of(2, LENGTHS);
        let list = (0..9).map(|at| here.space.at(at)).collect();
        let listed = here.space.clone().only(list).unwrap();
        let others = [
            (of(1, LENGTHS), "the number of tokens is 9 there, and 4 here"),
            (of(3, LENGTHS), "the number of tokens is 9 there, and 14 here"),
            (of(2, WHOLE), "the number of fidelities is 3 there, and 1 here"),
            (of(2, &[(1.0, true), (2.0, true), (9.0, true)]), "fidelity 2 is 'cost 3'"),
            (Problem { space: listed, ..here.clone() }, "points is 2592 there, and 9 here"),
            (Problem { budget: 99.0, ..here.clone() }, "the budget is 180 there, and 99 here"),
        ];
        for kind in StrategyKind::ALL {
            // One that was not asked yet holds no point that could give it away.
            for count in [0, 3] {
                let mut strategy = kind.build(here.clone(), 0).unwrap();
                for query in strategy.ask(count).unwrap() {
                    strategy.tell(&observation(&query, Some(1.0))).unwrap();
                }
                let state = strategy.save().unwrap();
                for (other, differs) in &others {
                    let error = kind.restore(other.clone(), state.clone());
                    let text = error.err().unwrap().to_string();
                    assert!(text.contains(differs), "{}: {text}", kind.name);
                }
                kind.restore(here.clone(), state).unwrap();
            }
        }
    }
}
