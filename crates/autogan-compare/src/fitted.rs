//! [`Fitted`] draws landscapes of three cells around effects that are fitted to a table, which holds too few of the
//! 373,248 architectures to be searched itself.

use std::borrow::Cow;

use autogan_space::MAX_CELLS;
use autogan_stats::mean;
use autogan_strategies::{Effects, Fidelity, Point, Space};
use autogan_table::{Table, USUAL_LENGTHS};

use crate::chain::Chain;
use crate::effects::{Fit, fit};
use crate::error::{CompareError, Result};
use crate::landscape::{Landscape, Parts};
use crate::tabular::{entries, fidelities, length_names};
use crate::testbed::{About, Testbed, World};
use crate::trainings::{Entry, Training};

/// The least architectures that effects are fitted to, and the least of them with two or more seeds.
const LEAST: (usize, usize) = (60, 5);

/// Landscapes around fitted effects; each seed draws a rest for each architecture and noise for each training.
#[derive(Debug)]
pub struct Fitted {
    about: About,
    space: Space,
    fidelities: Vec<Fidelity>,
    effects: Vec<Effects>,
    rest: Chain,
    noise: Chain,
}

impl Fitted {
    /// The landscapes of a table's architectures of three cells.
    ///
    /// # Errors
    /// With fewer than 60 of them, or fewer than five that were trained twice or more.
    pub fn new(table: &Table) -> Result<Self> {
        let space = Space::of_archs(MAX_CELLS);
        let all = entries(table, MAX_CELLS, &space);
        let fidelities = fidelities(&all, &length_names());
        let whole = all.into_iter().map(finished).filter(|entry| !entry.trainings.is_empty());
        let entries: Vec<Entry> = whole.collect();
        let repeated = entries.iter().filter(|entry| entry.trainings.len() >= 2).count();
        if entries.len() < LEAST.0 || repeated < LEAST.1 {
            let what = "architectures of three cells in the table";
            let expected = format!("{} or more, {} of them with two seeds", LEAST.0, LEAST.1);
            let found = format!("{}, {repeated} of them with two seeds", entries.len());
            return Err(CompareError::unfit(what, expected, found));
        }
        let sizes: Vec<usize> = space.tokens().iter().map(|token| token.choices.len()).collect();
        let points: Vec<&Point> = entries.iter().map(|entry| &entry.point).collect();
        let of =
            |at: usize| -> Vec<f64> { entries.iter().map(|entry| middle(entry, at)).collect() };
        let fits: Vec<Fit> = (0..USUAL_LENGTHS.len())
            .map(|at| fit(&sizes, &points, &of(at)))
            .collect::<Result<_>>()?;
        let missed: Vec<Vec<f64>> =
            fits.iter().enumerate().map(|(at, fit)| differences(&of(at), &fit.left_out)).collect();
        let noise = noise(&entries);
        let rest = rest(&missed, &noise, &entries);
        let about = about(&entries, &rest, &noise);
        let (rest, noise) = (chain(&rest), chain(&noise));
        let effects = fits.into_iter().map(|fit| fit.effects).collect();
        Ok(Self { about, space, fidelities, effects, rest, noise })
    }
}

/// The entry with its trainings that never diverged.
fn finished(entry: Entry) -> Entry {
    let whole = |training: &Training| training.values.iter().all(Option::is_some);
    Entry { trainings: entry.trainings.into_iter().filter(whole).collect(), ..entry }
}

/// The values of an entry's trainings at a length.
fn values(entry: &Entry, at: usize) -> Vec<f64> {
    entry.trainings.iter().filter_map(|training| training.values[at]).collect()
}

fn middle(entry: &Entry, at: usize) -> f64 {
    mean(&values(entry, at))
}

fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Variances at each length, and covariances of each length with the next.
#[derive(Clone, Debug, PartialEq)]
struct Spread {
    variance: Vec<f64>,
    with_next: Vec<f64>,
}

/// How trainings of one architecture differ.
fn noise(entries: &[Entry]) -> Spread {
    let product = |a: usize, b: usize| {
        let (mut sum, mut freedom) = (0.0, 0);
        for entry in entries.iter().filter(|entry| entry.trainings.len() >= 2) {
            let (x, y) = (values(entry, a), values(entry, b));
            let (mx, my) = (mean(&x), mean(&y));
            sum += x.iter().zip(&y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>();
            freedom += x.len() - 1;
        }
        sum / freedom as f64
    };
    spread(product)
}

/// What architectures have beyond their effects: what left-out predictions miss, less the noise of the means.
fn rest(missed: &[Vec<f64>], noise: &Spread, entries: &[Entry]) -> Spread {
    let of_means =
        mean(&entries.iter().map(|e| 1.0 / e.trainings.len() as f64).collect::<Vec<_>>());
    let product = |a: usize, b: usize| {
        let products: Vec<f64> = missed[a].iter().zip(&missed[b]).map(|(x, y)| x * y).collect();
        let noise = if a == b { noise.variance[a] } else { noise.with_next[a] };
        let left = mean(&products) - of_means * noise;
        if a == b { left.max(0.0) } else { left }
    };
    spread(product)
}

fn spread(product: impl Fn(usize, usize) -> f64) -> Spread {
    let lengths = USUAL_LENGTHS.len();
    Spread {
        variance: (0..lengths).map(|at| product(at, at)).collect(),
        with_next: (0..lengths - 1).map(|at| product(at, at + 1)).collect(),
    }
}

fn chain(spread: &Spread) -> Chain {
    let carry = spread.with_next.iter().zip(spread.variance.windows(2)).map(|(both, of)| {
        let size = (of[0] * of[1]).sqrt();
        if size > 0.0 { (both / size).clamp(0.0, 1.0) } else { 0.0 }
    });
    Chain::new(spread.variance.iter().map(|v| v.sqrt()).collect(), carry.collect())
}

fn about(entries: &[Entry], rest: &Spread, noise: &Spread) -> About {
    let trainings: usize = entries.iter().map(|entry| entry.trainings.len()).sum();
    let last = |spread: &Spread| spread.variance.last().map_or(0.0, |variance| variance.sqrt());
    About {
        name: "fitted landscapes of 3 cells".into(),
        value: "−log F".into(),
        unit: "thread-seconds".into(),
        notes: vec![
            format!(
                "This is a model, not a table. Effects of choices and of pairs of choices were fitted to {trainings} \
                 trainings of {} architectures with three cells. For every architecture, each seed draws a number of \
                 its own that is added to the effects (standard deviation {:.3} at the end). For every training, it \
                 draws noise ({:.3}).",
                entries.len(),
                last(rest),
                last(noise)
            ),
            "The fit draws the effects of pairs towards zero, so the landscape is somewhat smoother than the real space. \
             Trainings that diverged are left out, and none diverges here. All architectures cost the same."
                .into(),
            "Regret is exact here: the true values of the model are known.".into(),
        ],
    }
}

impl Testbed for Fitted {
    fn about(&self) -> &About {
        &self.about
    }

    fn space(&self) -> &Space {
        &self.space
    }

    fn fidelities(&self) -> &[Fidelity] {
        &self.fidelities
    }

    fn noise(&self) -> f64 {
        self.noise.last()
    }

    fn world(&self, seed: u64) -> Result<Box<dyn World + '_>> {
        let parts = Parts {
            space: &self.space,
            fidelities: &self.fidelities,
            effects: Cow::Borrowed(&self.effects),
            rest: &self.rest,
            noise: &self.noise,
        };
        Ok(Box::new(Landscape::new(parts, seed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up;

    #[test]
    fn it_is_close_to_what_it_was_fitted_to() {
        let space = Space::of_archs(3);
        let points: Vec<Point> = (0..400).map(|at| space.at(at * 911 + 5)).collect();
        let made = made_up::table_of(3, &points, 1, 2, 0.16);
        let fitted = Fitted::new(&made.table).unwrap();
        assert!((fitted.noise() - 0.16).abs() < 0.02, "{}", fitted.noise());
        let others: Vec<Point> = (0..300).map(|at| space.at(at * 1_201 + 3)).collect();
        let truth = made_up::table_of(3, &others, 1, 1, 0.0).truth;
        let pairs: Vec<(f64, f64)> =
            others.iter().map(|point| (truth[point], fitted.effects[2].value(point))).collect();
        let rho = autogan_stats::spearman(&pairs).unwrap().rho;
        assert!(rho > 0.85, "{rho}");
        // What is left of the true values beyond the effects: the made-up rest is 0.08, and what the fit misses.
        let sd = fitted.rest.last();
        assert!((0.05..0.2).contains(&sd), "{sd}");
        assert!(fitted.about().notes[0].contains("a model, not a table"));
    }

    #[test]
    fn too_small_a_table_is_refused() {
        let points: Vec<Point> = (0..70).map(|at| Space::of_archs(3).at(at * 5_003)).collect();
        let once = made_up::table_of(3, &points, 1, 1, 0.16);
        let error = Fitted::new(&once.table).unwrap_err().to_string();
        assert!(error.contains("found 70, 0 of them with two seeds"), "{error}");
    }
}
