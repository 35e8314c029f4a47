//! [`page`] writes a comparison down: what was compared, curves of regret, a table, and how to read them.

use autogan_report::markdown::Page;
use autogan_report::plot::{Curve, Curves, Row, Rows};
use autogan_stats::Difference;
use serde::Serialize;

use crate::power::{PowerPlan, PowerRow};
use crate::results::{Place, Results, StrategyResult};

/// What a simulation of power came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Power {
    /// The strategies whose winners were compared.
    pub strategies: [String; 2],
    /// The experiment.
    pub plan: PowerPlan,
    /// For each number of seeds.
    pub rows: Vec<PowerRow>,
}

impl Results {
    /// The head of the table of what is left at the end.
    pub const HEAD: [&'static str; 8] = [
        "strategy",
        "regret at the end",
        "better than random search by",
        "catches up at",
        "evaluations",
        "trainings",
        "spent",
        "asked again",
    ];

    /// The rows of that table, the least regret first.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let mut order: Vec<&StrategyResult> = self.strategies.iter().collect();
        order.sort_by(|a, b| a.regret.estimate.total_cmp(&b.regret.estimate));
        order.into_iter().map(StrategyResult::row).collect()
    }

    /// What was run, in a sentence.
    pub fn run(&self) -> String {
        let unit = &self.testbed.unit;
        let limit = match (self.budget, self.evaluations) {
            (Some(budget), _) => format!("a budget of {} {unit}", number(budget)),
            (None, most) => format!("{} evaluations", most.unwrap_or(0)),
        };
        format!(
            "Each strategy searched {} points with {limit}, on {} ({} run{} each, seeds {} to {}).",
            self.points,
            self.testbed.name,
            self.seeds,
            if self.seeds == 1 { "" } else { "s" },
            self.first_seed,
            self.first_seed + (self.seeds as u64).saturating_sub(1),
        )
    }

    fn curves(&self, of: fn(&StrategyResult) -> &[Place], axis: &str) -> Curves {
        let curve = |(colour, strategy): (usize, &StrategyResult)| {
            let points = of(strategy).iter().map(|p| (p.at, [p.estimate, p.low, p.high]));
            Curve { name: strategy.name.clone(), colour, points: points.collect() }
        };
        let curves: Vec<Curve> = self.strategies.iter().enumerate().map(curve).collect();
        let mut estimates = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1[0]);
        // A regret against held-out seeds can be below 0 by chance; then a logarithm shows nothing.
        let log = estimates.all(|estimate| estimate > 0.0);
        Curves {
            title: format!("Regret of what would be returned: {}", self.testbed.name),
            axes: (axis.to_owned(), format!("regret in {}", self.testbed.value)),
            log: (true, log),
            curves,
        }
    }

    fn differences(&self) -> Rows {
        let all = self.strategies.iter().enumerate();
        let rows = all.filter_map(|(colour, strategy)| {
            let Difference { estimate, low, high, .. } = strategy.difference?;
            let (name, interval) = (strategy.name.clone(), Some([estimate, low, high]));
            Some(Row { name, colour, values: Vec::new(), interval })
        });
        Rows {
            title: "Regret at the end, less that of random search with the same seed".into(),
            axis: format!("difference in {}; left of zero is better", self.testbed.value),
            zero: true,
            rows: rows.collect(),
        }
    }
}

impl StrategyResult {
    fn row(&self) -> Vec<String> {
        let difference = self.difference.as_ref().map_or("–".into(), |d| interval(&negated(d)));
        vec![
            self.name.clone(),
            interval(&self.regret),
            difference,
            self.catches_up.map_or("–".into(), |share| format!("{:.0} %", 100.0 * share)),
            number(self.evaluations),
            number(self.trainings),
            number(self.spent),
            self.again.to_string(),
        ]
    }
}

impl Power {
    /// The head of the table of power.
    pub const HEAD: [&'static str; 4] =
        ["seeds", "power", "found, and large enough", "false alarms"];

    /// The rows of that table.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let row = |row: &PowerRow| {
            vec![
                row.seeds.to_string(),
                format!("{:.3} ± {:.3}", row.power, row.error),
                format!("{:.3}", row.as_large),
                format!("{:.4}", row.false_alarms),
            ]
        };
        self.rows.iter().map(row).collect()
    }

    /// What was simulated, and the least seeds that suffice.
    pub fn sentences(&self) -> [String; 2] {
        let PowerPlan { difference, noise, trainings, level, experiments, .. } = &self.plan;
        let [one, other] = &self.strategies;
        let enough = self.rows.iter().find(|row| row.power >= 0.8);
        [
            format!(
                "Power of the two-sided sign permutation test over seeds, at p < {level:.5}: how often the test finds a \
                 difference that is there. It was simulated {experiments} times for each number of seeds. For each seed, \
                 a simulated experiment draws a winner of {one} and a winner of {other} from the winners of this \
                 comparison. Their values are moved so that the true difference is {difference}. Each winner is trained \
                 {trainings} times; single trainings have a standard deviation of {noise:.3}."
            ),
            match enough {
                Some(row) => format!("A power of 0.8 takes {} seeds.", row.seeds),
                None => "A power of 0.8 takes more seeds than were tried.".into(),
            },
        ]
    }
}

/// The page of a comparison, with its plots and numbers.
pub fn page(results: &Results, power: Option<&Power>) -> Page {
    let mut page = Page::default();
    page.text(&results.run());
    page.heading("What is compared");
    page.list(&results.testbed.notes);
    let lengths: Vec<String> = results
        .fidelities
        .iter()
        .map(|(name, cost)| format!("{name} ({} {})", number(*cost), results.testbed.unit))
        .collect();
    page.text(&format!(
        "A strategy can ask for trainings of these lengths; the mean cost stands in brackets: {}. When a training goes \
         on from a shorter length, only the difference is paid. At the end, trainings of the same point have a standard \
         deviation of {:.3}.",
        lengths.join(", "),
        results.noise
    ));
    page.heading("Regret");
    page.text(
        "After each evaluation, a strategy says which point it would return. Its regret is the value of the best point \
         less the value of that point. Before the first evaluation, it is the regret of a point drawn evenly. Lines are \
         means over runs, bands are their 95 % intervals (Student). A line ends at the median number of evaluations of \
         the runs, or a tenth beyond the median of what the runs spent.",
    );
    let svg = results.curves(|strategy| &strategy.by_cost, &results.testbed.unit).svg();
    page.picture("regret-by-cost.svg", "regret against what was spent", svg.into_bytes());
    let svg = results.curves(|strategy| &strategy.by_evaluations, "evaluations").svg();
    page.picture("regret-by-evaluations.svg", "regret against evaluations", svg.into_bytes());
    page.text(
        "An evaluation is one answer to a strategy, and an answer about a short training counts as well. So a strategy \
         that looks at short trainings first has more evaluations for the same cost.",
    );
    page.heading("At the end");
    page.table(&Results::HEAD, &results.rows());
    page.text(&reading(results));
    let differences = results.differences();
    if !differences.rows.is_empty() {
        let svg = differences.svg();
        page.picture("differences.svg", "differences to random search", svg.into_bytes());
    }
    page.csv("curves.csv", &CSV_HEAD, &csv(results));
    if let Some(power) = power {
        page.heading("How many seeds a test needs");
        let [what, enough] = power.sentences();
        page.text(&what);
        page.table(&Power::HEAD, &power.rows());
        page.text(&enough);
        page.text(
            "The column `found, and large enough` shows how often the test finds the difference and the mean found is at \
             least the true difference. That is hardly ever more than half of the time, with any number of seeds: the mean \
             found lies below the true difference as often as above. `false alarms` shows how often the test finds a \
             difference where there is none.",
        );
    }
    page
}

fn reading(results: &Results) -> String {
    let again: usize = results.strategies.iter().map(|strategy| strategy.again).sum();
    let note = match again {
        0 => "",
        _ => {
            " `asked again` counts queries for one more training of a point whose trainings were all told already; one of \
              them was told again. It is a sum over all runs."
        }
    };
    format!(
        "Numbers in brackets are 95 % intervals over seeds. Differences to random search are taken seed by seed; above 0, \
         the strategy is better. `catches up at` says how soon a strategy is as good as random search at its end: it is \
         the share of what random search spends. Evaluations, trainings and what was spent ({}) are means of a run.{note}",
        results.testbed.unit
    )
}

const CSV_HEAD: [&str; 6] = ["strategy", "axis", "at", "regret", "low", "high"];

fn csv(results: &Results) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for strategy in &results.strategies {
        let axes = [("evaluations", &strategy.by_evaluations), ("cost", &strategy.by_cost)];
        for (axis, places) in axes {
            rows.extend(places.iter().map(|place| {
                let Place { at, estimate, low, high } = *place;
                let numbers = [at, estimate, low, high].map(|value| value.to_string());
                [vec![strategy.name.clone(), axis.to_owned()], numbers.to_vec()].concat()
            }));
        }
    }
    rows
}

fn negated(difference: &Difference) -> Difference {
    let Difference { estimate, error, low, high } = *difference;
    Difference { estimate: -estimate, error, low: -high, high: -low }
}

fn interval(of: &Difference) -> String {
    match of.low.is_finite() {
        true => format!("{:.3} [{:.3}, {:.3}]", of.estimate, of.low, of.high),
        false => format!("{:.3}", of.estimate),
    }
}

/// Three digits or more, and no more decimals than that takes.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::contest::{Limit, Settings, compare};
    use crate::made_up;
    use crate::strategies::{BASELINE, strategies};
    use crate::tabular::Tabular;

    #[test]
    fn a_page_says_everything_and_its_plots_are_beside_it() {
        let points: Vec<_> =
            (0..20).map(|at| autogan_strategies::Space::of_archs(1).at(at)).collect();
        let made = made_up::table_of(1, &points, 2, 3, 0.16);
        let testbed = Tabular::new(&made.table, 1).unwrap();
        let settings = Settings { first_seed: 5, seeds: 4, limit: Limit::Cost(30.0) };
        let stop = AtomicBool::new(false);
        let all = &strategies(&[])[..1];
        let mut results = compare(&testbed, all, &settings, &stop, &|| {}).unwrap();
        let mut other = results.strategies[0].clone();
        (other.name, other.again) = ("second".into(), 3);
        let half = Difference { estimate: -0.1, error: 0.01, low: -0.12, high: -0.08 };
        other.difference = Some(half);
        results.strategies.push(other);
        let plan = PowerPlan {
            difference: 0.1,
            noise: 0.16,
            trainings: 6,
            level: 0.01 / 3.0,
            seeds: vec![16],
            experiments: 10,
        };
        let row = PowerRow { seeds: 16, power: 0.9, as_large: 0.5, false_alarms: 0.0, error: 0.09 };
        let strategies = ["second".to_owned(), BASELINE.to_owned()];
        let power = Power { strategies, plan, rows: vec![row] };
        let page = page(&results, Some(&power));
        let body = page.body();
        for says in [
            "searched 20 points with a budget of 30.0 thread-seconds, on the table, 1 cell (4 runs each, seeds 5 to 8)",
            "Of the 36 architectures the table has 20",
            "300 iterations (4.00 thread-seconds)",
            "| second | ",
            "0.100 [0.080, 0.120]",
            "`asked again` counts",
            "A power of 0.8 takes 16 seeds.",
            "| 16 | 0.900 ± 0.090 | 0.500 | 0.0000 |",
        ] {
            assert!(body.contains(says), "{says}: {body}");
        }
        let names: Vec<&str> = page.files().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["regret-by-cost.svg", "regret-by-evaluations.svg", "differences.svg", "curves.csv"]
        );
        let csv = String::from_utf8(page.files()[3].1.clone()).unwrap();
        assert!(
            csv.starts_with("strategy,axis,at,regret,low,high\nrandom,evaluations,1,"),
            "{csv}"
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([number(1234.5), number(12.34), number(1.0)], ["1234", "12.3", "1.00"]);
    }
}
