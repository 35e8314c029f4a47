//! [`compare`] runs strategies on a testbed, seed by seed.

use std::sync::atomic::AtomicBool;

use autogan_strategies::{Problem, StrategyKind};
use rayon::prelude::*;

use crate::course::Course;
use crate::error::{CompareError, Result};
use crate::results::Results;
use crate::strategies::BASELINE;
use crate::testbed::{Testbed, World};

/// What a run of a strategy may use up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// So much cost, in the unit of the testbed.
    Cost(f64),
    /// So many evaluations, whatever they cost. Strategies that plan ahead are told the cost of as many at the last
    /// fidelity as their budget.
    Evaluations(usize),
}

/// How strategies are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The first seed; the others follow it.
    pub first_seed: u64,
    /// Runs of each strategy, each with a seed of its own.
    pub seeds: usize,
    /// What a run may use up.
    pub limit: Limit,
}

/// Runs each strategy with each seed, and puts together what they came to. Strategies of one seed search the same world.
/// The result does not depend on the number of threads. `ended` is called after each run.
///
/// # Errors
/// When the first strategy is not the baseline, a setting is zero, a strategy fails, and when `stop` becomes true.
pub fn compare(
    testbed: &dyn Testbed,
    strategies: &[StrategyKind],
    settings: &Settings,
    stop: &AtomicBool,
    ended: &(dyn Fn() + Sync),
) -> Result<Results> {
    check(testbed, strategies, settings)?;
    let seed = |at: usize| settings.first_seed + at as u64;
    let of_seed = |at: usize| -> Result<Vec<Course>> {
        let world = testbed.world(seed(at))?;
        let one = |strategy: &StrategyKind| {
            let course = run(testbed, world.as_ref(), strategy, seed(at), settings.limit, stop);
            ended();
            course.map_err(|source| CompareError::Failed {
                name: strategy.name.to_owned(),
                seed: seed(at),
                source: Box::new(source),
            })
        };
        strategies.iter().map(one).collect()
    };
    let by_seed: Vec<Vec<Course>> =
        (0..settings.seeds).into_par_iter().map(of_seed).collect::<Result<_>>()?;
    let of = |at: usize| by_seed.iter().map(|courses| courses[at].clone()).collect();
    let courses: Vec<Vec<Course>> = (0..strategies.len()).map(of).collect();
    Ok(Results::new(testbed, strategies, settings, &courses))
}

fn run(
    testbed: &dyn Testbed,
    world: &dyn World,
    kind: &StrategyKind,
    seed: u64,
    limit: Limit,
    stop: &AtomicBool,
) -> Result<Course> {
    let problem = |budget| Problem {
        space: testbed.space().clone(),
        fidelities: testbed.fidelities().to_vec(),
        budget,
    };
    let (told, kept, most) = match limit {
        Limit::Cost(budget) => (budget, budget, usize::MAX),
        Limit::Evaluations(most) => (most as f64 * whole_cost(testbed), f64::MAX, most),
    };
    let mut strategy = kind.build(problem(told), seed)?;
    Course::run(strategy.as_mut(), &problem(kept), world, most, stop)
}

/// What a training to the last fidelity costs on average.
pub(crate) fn whole_cost(testbed: &dyn Testbed) -> f64 {
    testbed.fidelities().last().map_or(0.0, |fidelity| fidelity.cost)
}

fn check(testbed: &dyn Testbed, strategies: &[StrategyKind], settings: &Settings) -> Result<()> {
    if strategies.first().is_none_or(|first| first.name != BASELINE) {
        let found = strategies.first().map_or("none", |first| first.name);
        return Err(CompareError::unfit("the first strategy", BASELINE, found));
    }
    if settings.seeds == 0 {
        return Err(CompareError::unfit("seeds", "1 or more", "0"));
    }
    let (least, unit) = (whole_cost(testbed), &testbed.about().unit);
    match settings.limit {
        Limit::Evaluations(0) => Err(CompareError::unfit("evaluations", "1 or more", "0")),
        Limit::Cost(budget) if !(budget.is_finite() && budget >= least) => {
            let expected = format!("{least:.4} {unit} or more, which one training costs");
            Err(CompareError::unfit("the budget", expected, budget.to_string()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use autogan_strategies::{
        Belief, Observation, Query, Result as StrategyResult, Strategy, StrategyError,
    };

    use super::*;
    use crate::made_up;
    use crate::strategies::strategies;
    use crate::synthetic::Synthetic;
    use crate::tabular::Tabular;

    /// Trains each point to half its length, then the better half of them to the end.
    struct Halving {
        problem: Problem,
        next: usize,
        seen: Vec<(f64, usize)>,
        best: Option<Belief>,
    }

    impl Strategy for Halving {
        fn name(&self) -> &'static str {
            "halving"
        }

        fn ask(&mut self, _: usize) -> StrategyResult<Vec<Query>> {
            let count = self.problem.space.count();
            let at = self.next;
            self.next += 1;
            if at == count {
                self.seen.sort_by(|a, b| b.0.total_cmp(&a.0));
            }
            let (place, fidelity) = match at.checked_sub(count) {
                None => (at, 1),
                Some(rank) if rank < count / 2 => (self.seen[rank].1, 2),
                Some(_) => return Ok(vec![]),
            };
            Ok(vec![Query { point: self.problem.space.at(place), fidelity, repeat: 0 }])
        }

        fn tell(&mut self, observation: &Observation) -> StrategyResult<()> {
            let Some(value) = observation.value else { return Ok(()) };
            if observation.query.fidelity == 1 {
                self.seen.push((value, self.next - 1));
            } else if self.best.as_ref().is_none_or(|best| value > best.mean) {
                let point = observation.query.point.clone();
                self.best = Some(Belief { point, mean: value, sd: None });
            }
            Ok(())
        }

        fn best(&self) -> StrategyResult<Option<Belief>> {
            Ok(self.best.clone())
        }

        fn save(&self) -> StrategyResult<serde_json::Value> {
            Ok(serde_json::Value::Null)
        }
    }

    /// Asks the same query for ever.
    struct Stubborn(Problem);

    impl Strategy for Stubborn {
        fn name(&self) -> &'static str {
            "stubborn"
        }

        fn ask(&mut self, _: usize) -> StrategyResult<Vec<Query>> {
            Ok(vec![Query { point: self.0.space.at(0), fidelity: 0, repeat: 0 }])
        }

        fn tell(&mut self, _: &Observation) -> StrategyResult<()> {
            Ok(())
        }

        fn best(&self) -> StrategyResult<Option<Belief>> {
            Ok(None)
        }

        fn save(&self) -> StrategyResult<serde_json::Value> {
            Ok(serde_json::Value::Null)
        }
    }

    /// No comparison goes on with a strategy that was saved.
    const NEVER: fn(Problem, serde_json::Value) -> StrategyResult<Box<dyn Strategy>> =
        |_, _| Err(StrategyError::Failed { strategy: "a test", message: "not saved".into() });
    const HALVING: StrategyKind = StrategyKind {
        name: "halving",
        new: |problem, _| Ok(Box::new(Halving { problem, next: 0, seen: vec![], best: None })),
        restore: NEVER,
    };
    const STUBBORN: StrategyKind = StrategyKind {
        name: "stubborn",
        new: |problem, _| Ok(Box::new(Stubborn(problem))),
        restore: NEVER,
    };
    const BROKEN: StrategyKind = StrategyKind {
        name: "broken",
        new: |_, _| Err(StrategyError::Failed { strategy: "broken", message: "no luck".into() }),
        restore: NEVER,
    };

    fn with(more: &[StrategyKind]) -> Vec<StrategyKind> {
        strategies(&[]).into_iter().take(1).chain(more.iter().copied()).collect()
    }

    fn settings(seeds: usize, limit: Limit) -> Settings {
        Settings { first_seed: 0, seeds, limit }
    }

    fn never(
        testbed: &dyn Testbed,
        strategies: &[StrategyKind],
        settings: &Settings,
    ) -> Result<Results> {
        compare(testbed, strategies, settings, &AtomicBool::new(false), &|| {})
    }

    #[test]
    fn a_better_strategy_is_found_better_and_costs_are_kept() {
        let testbed = Synthetic::new(1).unwrap();
        // 36 halves and 18 more halves: 27 trainings.
        let limit = Limit::Cost(27.0 * 2.5 + 0.01);
        let results = never(&testbed, &with(&[HALVING]), &settings(200, limit)).unwrap();
        let [random, halving] = &results.strategies[..] else { panic!() };
        assert_eq!((random.evaluations, random.trainings), (27.0, 27.0));
        assert_eq!((halving.evaluations, halving.trainings), (54.0, 36.0));
        assert!((halving.spent - 27.0 * 2.5).abs() < 1e-9, "{}", halving.spent);
        let difference = halving.difference.unwrap();
        assert!(difference.high < 0.0, "{difference:?}");
        assert!(random.difference.is_none());
        let regret = random.regret.estimate - halving.regret.estimate;
        assert!((regret + difference.estimate).abs() < 1e-12);
        // Before anything was seen, the regret is that of any point; it falls.
        let first = random.by_evaluations[0].estimate;
        assert!(first > 2.0 * random.regret.estimate, "{first}");
        assert!(halving.catches_up.is_some_and(|share| share < 1.0));
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let made = made_up::table(1, 3, 3, 0.16);
        let testbed = Tabular::new(&made.table, 1).unwrap();
        let ended = AtomicUsize::new(0);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let count = || {
                ended.fetch_add(1, Ordering::Relaxed);
            };
            let stop = AtomicBool::new(false);
            let settings = settings(9, Limit::Evaluations(20));
            pool.install(|| compare(&testbed, &with(&[HALVING]), &settings, &stop, &count)).unwrap()
        };
        let (one, three) = (on(1), on(3));
        assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&three).unwrap());
        assert_eq!(ended.into_inner(), 2 * 2 * 9);
        assert!(one.strategies.iter().all(|strategy| strategy.evaluations == 20.0));
        assert!(one.strategies[1].by_cost.iter().all(|place| place.at <= one.strategies[0].spent));
    }

    #[test]
    fn what_cannot_be_compared_ends_in_an_error() {
        let testbed = Synthetic::new(1).unwrap();
        let costs = settings(2, Limit::Cost(30.0));
        let error = |strategies: &[StrategyKind], settings: &Settings| {
            never(&testbed, strategies, settings).unwrap_err().to_string()
        };
        let broken = error(&with(&[BROKEN]), &costs);
        assert!(broken.contains("'broken' with seed") && broken.contains("no luck"), "{broken}");
        assert!(error(&with(&[STUBBORN]), &costs).contains("cost nothing"));
        assert!(error(&[HALVING], &costs).contains("expected random, found halving"));
        assert!(error(&with(&[]), &settings(0, costs.limit)).contains("seeds"));
        assert!(error(&with(&[]), &settings(1, Limit::Evaluations(0))).contains("evaluations"));
        assert!(error(&with(&[]), &settings(1, Limit::Cost(2.0))).contains("2.5000"));
        assert!(error(&with(&[]), &settings(1, Limit::Cost(f64::NAN))).contains("NaN"));
        let stop = AtomicBool::new(true);
        let stopped = compare(&testbed, &with(&[]), &costs, &stop, &|| {}).unwrap_err();
        assert!(stopped.is_stop(), "{stopped}");
    }
}
