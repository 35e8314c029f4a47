//! Figure 7 compares the score of an architecture on the shared weights of a search with its score after a training
//! from scratch.
//!
//! The architectures are random ones and such as the search drew, all of which the search scored at its end, on the same
//! weights, latents and number of images: rewards of one search are only then comparable. The trainings of random ones are
//! those that random search without shared weights has too. What a search draws becomes more alike in its course, so that
//! a reward may tell random architectures apart and not those among which the search chooses.

use autogan_report::plot::{Plot, Series, Shape};
use autogan_run::TrialKind;
use autogan_space::Arch;
use autogan_stats::{Correlation, pooled_spearman, spearman};

use super::Page;
use super::compare::LastScores;
use super::context::Context;
use crate::error::Result;
use crate::job::{Job, Method};
use crate::scale::{Dataset, Sizes};

/// An architecture with what it earned on shared weights, and its scores after a training.
struct Point {
    seed: u64,
    draw: DrawnBy,
    arch: Arch,
    proxy: f64,
    last: LastScores,
}

/// How architectures were drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DrawnBy {
    Chance,
    Search,
}

impl DrawnBy {
    const ALL: [DrawnBy; 2] = [DrawnBy::Chance, DrawnBy::Search];

    fn name(self) -> &'static str {
        match self {
            DrawnBy::Chance => "uniform",
            DrawnBy::Search => "search",
        }
    }

    fn title(self) -> &'static str {
        match self {
            DrawnBy::Chance => "drawn uniformly",
            DrawnBy::Search => "drawn by the search",
        }
    }

    /// The kind of the search's trials.
    fn kind(self) -> TrialKind {
        match self {
            DrawnBy::Chance => TrialKind::Random,
            DrawnBy::Search => TrialKind::Drawn,
        }
    }

    /// How many of a search are trained, at most, and the training of one.
    fn trainings(self, sizes: &Sizes) -> (usize, fn(usize, Dataset, u64) -> Job) {
        match self {
            DrawnBy::Chance => (sizes.proxies, Job::random),
            DrawnBy::Search => (sizes.drawn, Job::drawn),
        }
    }
}

pub(super) fn write(page: &mut Page, context: &Context<'_>) -> Result<()> {
    for dataset in context.scope.datasets() {
        page.heading(&format!("On {}", dataset.title()));
        let points = points(context, dataset)?;
        if points.is_empty() {
            page.text("Not run.");
            continue;
        }
        for draw in DrawnBy::ALL {
            let own: Vec<&Point> = points.iter().filter(|point| point.draw == draw).collect();
            correlations(page, context, draw, &own);
        }
        page.text(
            "Intervals: 95 %, by Fisher's transformation with the variance of Bonett and Wright. Over all seeds, \
             architectures are ranked within their own search, for rewards on different shared weights do not compare.",
        );
        plot(page, context, dataset, &points);
        let rows: Vec<Vec<String>> = points
            .iter()
            .map(|p| {
                let numbers =
                    [p.proxy, p.last.score, p.last.distance].map(|number| number.to_string());
                let names = [p.seed.to_string(), p.draw.name().to_owned(), p.arch.to_string()];
                [names.to_vec(), numbers.to_vec()].concat()
            })
            .collect();
        let head = ["seed", "drawn_by", "arch", "shared", "score", "distance"];
        page.csv(&format!("fig7-{}.csv", dataset.name()), &head, &rows);
    }
    Ok(())
}

fn points(context: &Context<'_>, dataset: Dataset) -> Result<Vec<Point>> {
    let mut points = Vec::new();
    for &seed in context.seeds() {
        let name = Job::search(Method::Controller, dataset, seed).name;
        let Some(search) = context.results.search(&name)? else { continue };
        for draw in DrawnBy::ALL {
            let (most, job) = draw.trainings(context.scope.scale.sizes());
            let own = search.trials.iter().filter(|trial| trial.kind == draw.kind());
            for (index, trial) in own.take(most).enumerate() {
                let job = job(index, dataset, seed).name;
                let Some(training) = context.results.training(&job)? else { continue };
                let (arch, last) = (trial.arch.clone(), training.last_scores());
                points.push(Point { seed, draw, arch, proxy: trial.score, last });
            }
        }
    }
    Ok(points)
}

fn correlations(page: &mut Page, context: &Context<'_>, draw: DrawnBy, points: &[&Point]) {
    let pairs = |seed: Option<u64>, what: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        let chosen = points.iter().filter(|point| seed.is_none_or(|seed| seed == point.seed));
        chosen.map(|p| (p.proxy, what(p))).filter(|(_, y)| y.is_finite()).collect()
    };
    let score: fn(&Point) -> f64 = |point| point.last.score;
    // Small distances are good: the sign is turned, so that a good proxy is positive in both columns.
    let closeness: fn(&Point) -> f64 = |point| -point.last.distance;
    let mut rows = Vec::new();
    for &seed in context.seeds() {
        rows.push(vec![
            format!("seed {seed}"),
            text(spearman(&pairs(Some(seed), score))),
            text(spearman(&pairs(Some(seed), closeness))),
        ]);
    }
    let pooled = |what| {
        let samples: Vec<Vec<(f64, f64)>> =
            context.seeds().iter().map(|&seed| pairs(Some(seed), what)).collect();
        let samples: Vec<&[(f64, f64)]> =
            samples.iter().filter(|sample| !sample.is_empty()).map(Vec::as_slice).collect();
        pooled_spearman(&samples)
    };
    let (with_score, with_closeness) = (pooled(score), pooled(closeness));
    rows.push(vec!["all seeds, ranked within each".into(), text(with_score), text(with_closeness)]);
    page.text(&format!("Architectures {}:", draw.title()));
    page.table(&["Spearman of the reward with", "score", "− distance"], &rows);
    page.text(&reading(with_score));
}

fn text(found: Option<Correlation>) -> String {
    let Some(c) = found else { return "no spread".to_owned() };
    let interval = match c.low.is_finite() {
        true => format!(" [{:+.2}, {:+.2}]", c.low, c.high),
        false => String::new(),
    };
    format!("{:+.2}{interval}, n = {}", c.rho, c.pairs)
}

fn reading(found: Option<Correlation>) -> String {
    let finding = match found {
        Some(c) if c.low > 0.0 => "The reward predicts training from scratch",
        Some(c) if c.high < 0.0 => "The reward misleads here",
        Some(c) if c.low.is_finite() => "No clear correlation at this size",
        _ => return "Too few pairs for an interval.".to_owned(),
    };
    format!("**{finding}**: ρ = {}. The paper finds 0.779.", text(found))
}

fn plot(page: &mut Page, context: &Context<'_>, dataset: Dataset, points: &[Point]) {
    for draw in DrawnBy::ALL {
        let of = |seed: u64| {
            let own = points.iter().filter(move |p| p.seed == seed && p.draw == draw);
            own.map(|p| (p.proxy, p.last.score)).collect()
        };
        let series = context.seeds().iter().enumerate().map(|(place, &seed)| Series {
            name: format!("seed {seed}"),
            colour: place,
            shape: Shape::Dots,
            points: of(seed),
        });
        let (by, on) = (draw.title(), dataset.title());
        let plot = Plot {
            title: format!("Reward against training from scratch, {on}, architectures {by}"),
            axes: ("score on shared weights".into(), "score after training from scratch".into()),
            series: series.collect(),
        };
        let file = match draw {
            DrawnBy::Chance => format!("fig7-{}.svg", dataset.name()),
            DrawnBy::Search => format!("fig7-{}-drawn.svg", dataset.name()),
        };
        page.picture(&file, &plot.title, plot.svg().into_bytes());
    }
}
