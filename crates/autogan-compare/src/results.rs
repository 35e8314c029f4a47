//! [`Results`] puts together what strategies came to: curves of regret, and what is left of it at the end.

use autogan_stats::{Difference, mean, mean_interval, quantile};
use autogan_strategies::StrategyKind;
use serde::Serialize;

use crate::contest::{Limit, Settings};
use crate::course::Course;
use crate::grid;
use crate::testbed::{About, Testbed};

/// How far a curve goes, in medians of what the runs spent: a budget's last part, which no evaluation fits into, still
/// belongs to the curve.
const BEYOND: f64 = 1.1;

/// A comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// What the strategies were compared on.
    pub testbed: About,
    /// The points that they searched.
    pub points: usize,
    /// The lengths of a training, with their mean costs.
    pub fidelities: Vec<(String, f64)>,
    /// The standard deviation of a single training at the last fidelity.
    pub noise: f64,
    /// The first seed.
    pub first_seed: u64,
    /// Runs of each strategy.
    pub seeds: usize,
    /// The budget of a run, where it is one of cost.
    pub budget: Option<f64>,
    /// The evaluations of a run, where they are what is limited.
    pub evaluations: Option<usize>,
    /// The strategies; the first is the baseline.
    pub strategies: Vec<StrategyResult>,
}

/// What one strategy came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StrategyResult {
    /// Its name.
    pub name: String,
    /// Regret at the end, with the interval over seeds.
    pub regret: Difference,
    /// Regret less that of the baseline with the same seed; below 0 it is better. The baseline has none.
    pub difference: Option<Difference>,
    /// At which share of what the baseline spends the strategy's mean regret is, for the first time, at most the
    /// baseline's at the end.
    pub catches_up: Option<f64>,
    /// Evaluations of a run, on average.
    pub evaluations: f64,
    /// Trainings that a run began, on average.
    pub trainings: f64,
    /// What a run spent, on average.
    pub spent: f64,
    /// Queries of all runs that asked for a training once more because there was no other of their point.
    pub again: usize,
    /// Regret at the end of each run, in the order of the seeds.
    pub regrets: Vec<f64>,
    /// The estimated value of what each run returned less that of the best point, in the order of the seeds.
    pub winners: Vec<f64>,
    /// Mean regret against evaluations.
    pub by_evaluations: Vec<Place>,
    /// Mean regret against what was spent.
    pub by_cost: Vec<Place>,
}

/// A mean over seeds with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Where on the axis.
    pub at: f64,
    /// The mean.
    pub estimate: f64,
    /// Lower end of the interval; none with a single seed.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Results {
    /// The results of courses, by strategy and seed.
    pub(crate) fn new(
        testbed: &dyn Testbed,
        strategies: &[StrategyKind],
        settings: &Settings,
        courses: &[Vec<Course>],
    ) -> Self {
        let fidelities = testbed.fidelities();
        let all = || courses.iter().flatten();
        let most = all().map(|course| course.steps.len()).max().unwrap_or(0);
        let counts = grid::of_counts(most);
        let (budget, evaluations) = match settings.limit {
            Limit::Cost(budget) => (Some(budget), None),
            Limit::Evaluations(most) => (None, Some(most)),
        };
        let most = budget.unwrap_or_else(|| all().map(Course::spent).fold(0.0, f64::max));
        let costs = grid::of_costs(fidelities.first().map_or(1.0, |first| first.cost), most);
        let baseline = courses.first().map_or(&[][..], Vec::as_slice);
        let result = |(at, kind): (usize, &StrategyKind)| {
            let against = (at > 0).then_some(baseline);
            StrategyResult::new(kind.name, &courses[at], against, &counts, &costs)
        };
        let mut strategies: Vec<StrategyResult> =
            strategies.iter().enumerate().map(result).collect();
        if let Some(first) = strategies.first() {
            let (goal, end) = (first.regret.estimate, first.spent);
            strategies.iter_mut().skip(1).for_each(|other| other.catch_up(goal, end));
        }
        Self {
            testbed: testbed.about().clone(),
            points: testbed.space().count(),
            fidelities: fidelities.iter().map(|f| (f.name.clone(), f.cost)).collect(),
            noise: testbed.noise(),
            first_seed: settings.first_seed,
            seeds: settings.seeds,
            budget,
            evaluations,
            strategies,
        }
    }
}

impl StrategyResult {
    fn new(
        name: &str,
        courses: &[Course],
        baseline: Option<&[Course]>,
        counts: &[usize],
        costs: &[f64],
    ) -> Self {
        let of = |value: fn(&Course) -> f64| -> Vec<f64> { courses.iter().map(value).collect() };
        let last: fn(&Course) -> f64 = |course| course.after(usize::MAX);
        let regrets = of(last);
        let difference = baseline.map(|baseline| {
            let pairs = regrets.iter().zip(baseline.iter().map(last));
            interval(&pairs.map(|(own, other)| own - other).collect::<Vec<_>>())
        });
        let evaluations = of(|course| course.steps.len() as f64);
        let spent = of(Course::spent);
        let by_evaluations =
            counts.iter().filter(|&&at| at as f64 <= median(&evaluations)).map(|&at| {
                place(at as f64, &courses.iter().map(|course| course.after(at)).collect::<Vec<_>>())
            });
        let end = BEYOND * median(&spent);
        let by_cost = costs.iter().filter(|&&at| at <= end).map(|&at| {
            place(at, &courses.iter().map(|course| course.once_spent(at)).collect::<Vec<_>>())
        });
        Self {
            name: name.to_owned(),
            regret: interval(&regrets),
            difference,
            catches_up: None,
            evaluations: mean(&evaluations),
            trainings: mean(&of(|course| course.trainings as f64)),
            spent: mean(&spent),
            again: courses.iter().map(|course| course.again).sum(),
            winners: of(|course| course.winner),
            by_evaluations: by_evaluations.collect(),
            by_cost: by_cost.collect(),
            regrets,
        }
    }

    fn catch_up(&mut self, goal: f64, end: f64) {
        let there = self.by_cost.iter().find(|place| place.estimate <= goal);
        self.catches_up = there.map(|place| place.at / end);
    }
}

/// The mean with its interval; without ends where there is no spread to see.
fn interval(values: &[f64]) -> Difference {
    mean_interval(values).unwrap_or(Difference {
        estimate: mean(values),
        error: f64::NAN,
        low: f64::NAN,
        high: f64::NAN,
    })
}

fn place(at: f64, values: &[f64]) -> Place {
    let Difference { estimate, low, high, .. } = interval(values);
    Place { at, estimate, low, high }
}

fn median(values: &[f64]) -> f64 {
    let mut ascending = values.to_vec();
    ascending.sort_by(f64::total_cmp);
    quantile(&ascending, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Step;
    use crate::strategies::BASELINE;

    #[test]
    fn curves_end_with_most_of_the_runs_and_differences_are_paired() {
        let course = |regrets: &[f64]| {
            let step = |(at, &regret): (usize, &f64)| Step { spent: 2.0 * (at + 1) as f64, regret };
            let steps = regrets.iter().enumerate().map(step).collect();
            Course { start: 1.0, steps, winner: 0.0, trainings: regrets.len(), again: 1 }
        };
        let base = [course(&[0.8, 0.6, 0.4]), course(&[0.9, 0.5, 0.5]), course(&[0.7])];
        let other = [course(&[0.8, 0.3]), course(&[0.4, 0.3]), course(&[0.5, 0.45])];
        let counts = [1, 2, 3];
        let result = StrategyResult::new("x", &other, Some(&base), &counts, &[1.0, 2.0, 4.0, 6.0]);
        let at: Vec<f64> = result.by_evaluations.iter().map(|place| place.at).collect();
        assert_eq!(at, [1.0, 2.0], "no run has three");
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(result.by_evaluations[0].estimate, 1.7 / 3.0));
        assert_eq!(result.by_cost.len(), 3);
        assert!(near(result.by_cost[0].estimate, 1.0), "nothing has ended by then");
        // Paired: 0.3 - 0.4, 0.3 - 0.5, 0.45 - 0.7.
        assert!(near(result.difference.unwrap().estimate, -0.55 / 3.0));
        assert_eq!((result.evaluations, result.again), (2.0, 3));
        let base = StrategyResult::new(BASELINE, &base, None, &counts, &[2.0]);
        assert!(near(base.evaluations, 7.0 / 3.0) && base.difference.is_none());
        let mut result = result;
        result.catch_up(0.5, 10.0);
        assert_eq!(result.catches_up, Some(0.4));
        let one = StrategyResult::new("x", &[course(&[0.5])], None, &[1], &[2.0]);
        assert!(one.regret.low.is_nan() && one.regret.estimate == 0.5);
    }
}
