//! This module puts the [`Arm`]s of a comparison beside each other: costs, scores with every seed, and differences,
//! paired by seed, with their intervals.

use autogan_report::plot::{Row, Rows};
use autogan_stats::{Difference, deviation, mean, mean_interval};

use super::Page;
use crate::results::{SearchResult, TrainingResult};

/// One arm, with a value per seed; `None` where a run is not finished.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arm {
    pub name: String,
    /// What the search for the architecture cost; empty where nothing was searched.
    pub costs: Vec<Option<Cost>>,
    /// The score of the best architecture on the shared weights of the search.
    pub shared: Vec<Option<f64>>,
    /// The last scores of its training from scratch.
    pub trained: Vec<Option<LastScores>>,
}

/// What a search took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    /// Real images that discriminators were shown.
    pub trained: f64,
    /// Images that were generated to be scored.
    pub scored: f64,
    pub seconds: f64,
}

/// The end of a training from scratch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LastScores {
    /// The Inception Score's formula; higher is better.
    pub score: f64,
    /// Fréchet distance; lower is better. NaN where it was not taken.
    pub distance: f64,
}

impl Arm {
    /// An arm that is a search and a training of what it found.
    pub fn of(
        name: &str,
        searches: &[Option<SearchResult>],
        trainings: &[Option<TrainingResult>],
    ) -> Arm {
        let searches = || searches.iter().map(Option::as_ref);
        Arm {
            name: name.to_owned(),
            costs: searches().map(|search| search.map(SearchResult::cost)).collect(),
            shared: searches().map(|search| Some(search?.arch.score?.best)).collect(),
            trained: last_scores(trainings),
        }
    }

    fn scores(&self) -> Vec<Option<f64>> {
        part(&self.trained, |trained| trained.score)
    }

    fn distances(&self) -> Vec<Option<f64>> {
        part(&self.trained, |trained| trained.distance)
    }
}

/// One number of each seed.
pub(super) fn part<T>(values: &[Option<T>], of: fn(&T) -> f64) -> Vec<Option<f64>> {
    values.iter().map(|value| value.as_ref().map(of)).collect()
}

impl SearchResult {
    pub(super) fn cost(&self) -> Cost {
        Cost { trained: self.trained as f64, scored: self.scored as f64, seconds: self.seconds }
    }
}

impl TrainingResult {
    pub(super) fn last_scores(&self) -> LastScores {
        let last = &self.file.last;
        LastScores { score: last.is, distance: last.frechet.unwrap_or(f64::NAN) }
    }
}

fn last_scores(trainings: &[Option<TrainingResult>]) -> Vec<Option<LastScores>> {
    trainings.iter().map(|training| training.as_ref().map(TrainingResult::last_scores)).collect()
}

/// Means of the last scores and of the distances, with their deviations.
pub(super) fn ends(trainings: &[Option<TrainingResult>]) -> [String; 2] {
    let last = last_scores(trainings);
    [spread(&part(&last, |last| last.score), 3), spread(&part(&last, |last| last.distance), 2)]
}

/// Mean and standard deviation over the seeds that are there.
pub(super) fn spread(values: &[Option<f64>], decimals: usize) -> String {
    let there: Vec<f64> = values.iter().flatten().copied().filter(|v| v.is_finite()).collect();
    match there.len() {
        0 => "not run".to_owned(),
        1 => format!("{:.decimals$} (one seed)", there[0]),
        n if n < values.len() => {
            format!("{:.decimals$} ± {:.decimals$} ({n} seeds)", mean(&there), deviation(&there))
        }
        _ => format!("{:.decimals$} ± {:.decimals$}", mean(&there), deviation(&there)),
    }
}

/// The mean of `a` minus `b` over the seeds that have both, with Student's interval.
pub(super) fn paired(a: &[Option<f64>], b: &[Option<f64>]) -> (Vec<f64>, Option<Difference>) {
    let pairs = a.iter().zip(b).filter_map(|(a, b)| Some((*a)? - (*b)?));
    let differences: Vec<f64> = pairs.filter(|difference| difference.is_finite()).collect();
    let interval = mean_interval(&differences);
    (differences, interval)
}

/// A difference with its interval, or why there is none.
pub(super) fn interval(d: Option<&Difference>, decimals: usize) -> String {
    d.map_or_else(
        || "too few seeds".to_owned(),
        |d| format!("{:+.decimals$} [{:+.decimals$}, {:+.decimals$}]", d.estimate, d.low, d.high),
    )
}

/// What a difference of a score (higher is better) says, in a sentence.
pub(super) fn verdict(a: &str, b: &str, d: Option<&Difference>) -> String {
    let numbers = interval(d, 3);
    match d {
        None => format!("{a} against {b}: too few finished runs to say anything."),
        Some(d) if d.low > 0.0 => format!("{a} is above {b}: {numbers}."),
        Some(d) if d.high < 0.0 => format!("{a} is below {b}: {numbers}."),
        Some(_) => format!("No clear difference between {a} and {b}: {numbers}."),
    }
}

/// The table of all arms, the differences of the first from each other one, plots and numbers; gives the verdicts on
/// the scores of the trainings.
pub(super) fn write(page: &mut Page, arms: &[Arm], seeds: &[u64], stem: &str) -> Vec<String> {
    let head = [
        "",
        "images trained on",
        "images scored",
        "seconds",
        "best child, shared weights",
        "score, from scratch",
        "distance, from scratch",
    ];
    let rows: Vec<Vec<String>> = arms.iter().map(summary).collect();
    page.table(&head, &rows);
    page.text(
        "Mean ± standard deviation over the seeds. Seconds are the clock's: what else the machine did counts in them, so \
         budgets are compared by images. Images scored are with those of the final derivation.",
    );
    let row = |(colour, arm): (usize, &Arm)| {
        let values: Vec<f64> = arm.scores().into_iter().flatten().collect();
        let interval = mean_interval(&values).map(|m| [m.estimate, m.low, m.high]);
        Row { name: arm.name.clone(), colour, values, interval }
    };
    let scores = Rows {
        title: "Score after training from scratch".into(),
        axis: "score (higher is better): one dot per seed, mean with 95 % interval".into(),
        zero: false,
        rows: arms.iter().enumerate().map(row).collect(),
    };
    page.picture(&format!("{stem}-scores.svg"), &scores.title, scores.svg().into_bytes());
    let verdicts = differences(page, arms, stem);
    page.csv(&format!("{stem}.csv"), &CSV_HEAD, &numbers(arms, seeds));
    verdicts
}

fn summary(arm: &Arm) -> Vec<String> {
    let cost = |of: fn(&Cost) -> f64| match arm.costs.is_empty() {
        true => "none".to_owned(),
        false => spread(&part(&arm.costs, of), 0),
    };
    vec![
        arm.name.clone(),
        cost(|cost| cost.trained),
        cost(|cost| cost.scored),
        cost(|cost| cost.seconds),
        if arm.shared.is_empty() { "–".to_owned() } else { spread(&arm.shared, 3) },
        spread(&arm.scores(), 3),
        spread(&arm.distances(), 2),
    ]
}

fn differences(page: &mut Page, arms: &[Arm], stem: &str) -> Vec<String> {
    let Some((first, others)) = arms.split_first() else { return Vec::new() };
    let (mut table, mut rows, mut verdicts) = (Vec::new(), Vec::new(), Vec::new());
    for (place, other) in others.iter().enumerate() {
        let (values, score) = paired(&first.scores(), &other.scores());
        let (_, distance) = paired(&first.distances(), &other.distances());
        let name = format!("{} − {}", first.name, other.name);
        table.push(vec![
            name.clone(),
            interval(score.as_ref(), 3),
            interval(distance.as_ref(), 2),
            values.len().to_string(),
        ]);
        verdicts.push(verdict(&first.name, &other.name, score.as_ref()));
        rows.push(Row {
            name: format!("− {}", other.name),
            colour: place + 1,
            values,
            interval: score.map(|d| [d.estimate, d.low, d.high]),
        });
    }
    page.text("Differences, paired by seed, with Student's 95 % interval:");
    page.table(&["", "score", "distance", "seeds"], &table);
    let plot = Rows {
        title: format!("Score from scratch: {} minus the others", first.name),
        axis: "difference of scores (right of 0: the first is better)".into(),
        zero: true,
        rows,
    };
    page.picture(&format!("{stem}-differences.svg"), &plot.title, plot.svg().into_bytes());
    verdicts
}

const CSV_HEAD: [&str; 8] =
    ["arm", "seed", "images_trained", "images_scored", "seconds", "shared", "score", "distance"];

fn numbers(arms: &[Arm], seeds: &[u64]) -> Vec<Vec<String>> {
    let text = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let mut rows = Vec::new();
    for arm in arms {
        for (at, seed) in seeds.iter().enumerate() {
            let cost = arm.costs.get(at).copied().flatten();
            let trained = arm.trained.get(at).copied().flatten();
            rows.push(vec![
                arm.name.clone(),
                seed.to_string(),
                text(cost.map(|cost| cost.trained)),
                text(cost.map(|cost| cost.scored)),
                text(cost.map(|cost| cost.seconds)),
                text(arm.shared.get(at).copied().flatten()),
                text(trained.map(|trained| trained.score)),
                text(trained.map(|trained| trained.distance)),
            ]);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(name: &str, scores: [Option<f64>; 3]) -> Arm {
        let trained = |score: f64| LastScores { score, distance: -score };
        Arm {
            name: name.into(),
            costs: Vec::new(),
            shared: Vec::new(),
            trained: scores.map(|score| score.map(trained)).to_vec(),
        }
    }

    #[test]
    fn seeds_are_paired_and_missing_ones_left_out() {
        let (values, d) = paired(&[Some(3.0), None, Some(5.0)], &[Some(1.0), Some(9.0), Some(4.0)]);
        assert_eq!(values, [2.0, 1.0]);
        // Mean 1.5, error 0.5, Student's quantile with one degree of freedom 12.7062.
        let d = d.unwrap();
        assert!((d.estimate - 1.5).abs() < 1e-12 && (d.high - 1.5 - 0.5 * 12.706_205).abs() < 1e-5);
        assert_eq!(paired(&[Some(1.0)], &[Some(2.0)]).1, None);
    }

    #[test]
    fn words_follow_the_interval() {
        let d = |low, high| Difference { estimate: (low + high) / 2.0, error: 1.0, low, high };
        assert!(verdict("A", "B", Some(&d(0.1, 0.3))).starts_with("A is above B: +0.200 [+0.100"));
        assert!(verdict("A", "B", Some(&d(-0.3, -0.1))).starts_with("A is below B"));
        assert!(verdict("A", "B", Some(&d(-0.3, 0.1))).starts_with("No clear difference"));
        assert!(verdict("A", "B", None).contains("too few"));
    }

    #[test]
    fn means_say_how_many_seeds_they_are_of() {
        assert_eq!(spread(&[Some(1.0), Some(3.0)], 2), "2.00 ± 1.41");
        assert_eq!(spread(&[Some(1.0), Some(3.0), None], 0), "2 ± 1 (2 seeds)");
        assert_eq!(spread(&[None, None], 2), "not run");
        assert_eq!(spread(&[Some(1.5), None], 2), "1.50 (one seed)");
    }

    #[test]
    fn a_page_has_all_seeds_of_all_arms() {
        let mut page = Page::default();
        let arms = [
            arm("searched", [Some(3.0), Some(4.0), Some(5.0)]),
            arm("random", [Some(1.0), Some(2.5), None]),
        ];
        let verdicts = write(&mut page, &arms, &[0, 1, 2], "c");
        assert_eq!(verdicts.len(), 1);
        let csv = page.files().iter().find(|(name, _)| name == "c.csv").unwrap();
        let csv = String::from_utf8(csv.1.clone()).unwrap();
        assert_eq!(csv.lines().count(), 7);
        assert!(csv.contains("random,1,,,,,2.5,-2.5") && csv.contains("random,2,,,,,,\n"));
        assert!(page.body().contains("| searched − random | +1.750 ["));
    }
}
