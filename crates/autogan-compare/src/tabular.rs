//! [`Tabular`] answers queries from trainings that were carried out before.

use std::collections::{BTreeSet, HashMap};

use autogan_space::Arch;
use autogan_stats::mean;
use autogan_strategies::{Fidelity, Point, Query, Space};
use autogan_table::{Table, USUAL_LENGTHS};
use rand::seq::SliceRandom;

use crate::effects;
use crate::error::{CompareError, Result};
use crate::streams::{self, stream};
use crate::testbed::{About, Outcome, Testbed, World};
use crate::trainings::{Entry, Training, Values};

/// By which trainings a point is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    /// By those that the strategy was not told. One of each point is never told.
    Others,
    /// By all of them, for many points have only one.
    All,
}

/// A table of trainings.
#[derive(Debug)]
pub struct Tabular {
    about: About,
    space: Space,
    fidelities: Vec<Fidelity>,
    entries: Vec<Entry>,
    places: HashMap<Point, usize>,
    judge: Judge,
    values: Values,
    /// The best estimate of each entry's value.
    estimates: Vec<f64>,
    best: f64,
    average: f64,
    noise: f64,
}

impl Tabular {
    /// The architectures of so many cells in a table of AutoGAN's space, 1 or 2.
    ///
    /// # Errors
    /// With fewer than three architectures of that many cells that were trained twice or more.
    pub fn new(table: &Table, cells: usize) -> Result<Self> {
        let space = Space::of_archs(cells);
        let all = entries(table, cells, &space);
        let known = all.len();
        let entries: Vec<Entry> =
            all.into_iter().filter(|entry| entry.trainings.len() >= 2).collect();
        let what = format!("architectures of {cells} cells with two or more seeds in the table");
        if entries.len() < 3 {
            return Err(CompareError::unfit(what, "three or more", entries.len().to_string()));
        }
        let about = about(cells, space.count(), known, &entries);
        let fidelities = fidelities(&entries, &length_names());
        Self::of_entries(about, space, fidelities, entries, Judge::Others)
    }

    /// A table of these entries.
    pub(crate) fn of_entries(
        mut about: About,
        space: Space,
        fidelities: Vec<Fidelity>,
        entries: Vec<Entry>,
        judge: Judge,
    ) -> Result<Self> {
        let values = Values::new(&entries);
        let noise = values.noise_variance();
        let estimates = match judge {
            Judge::Others => shrunk(&space, &entries, &values, noise)?,
            Judge::All => values.means(),
        };
        if values.diverged > 0 {
            let diverged = values.diverged;
            about.notes.push(format!(
                "{diverged} training{} diverged. A strategy is told so. When a point is judged, such a training counts as \
                 the worst value of the table.",
                if diverged == 1 { "" } else { "s" },
            ));
        }
        let points: Vec<Point> = entries.iter().map(|entry| entry.point.clone()).collect();
        let places = points.iter().cloned().enumerate().map(|(at, point)| (point, at)).collect();
        let space = space.only(points)?;
        let best = estimates.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let average = mean(&estimates);
        let noise = noise.sqrt();
        Ok(Self {
            about,
            space,
            fidelities,
            entries,
            places,
            judge,
            values,
            estimates,
            best,
            average,
            noise,
        })
    }

    fn place(&self, point: &Point) -> Result<usize> {
        self.places.get(point).copied().ok_or_else(|| {
            CompareError::unfit("a point", "one of the table", format!("{:?}", point.0))
        })
    }

    /// How many trainings of an entry can be told.
    fn tellable(&self, entry: usize) -> usize {
        let all = self.entries[entry].trainings.len();
        if self.judge == Judge::Others { all - 1 } else { all }
    }
}

/// The architectures of a table with their complete trainings, in the order of the table.
pub(crate) fn entries(table: &Table, cells: usize, space: &Space) -> Vec<Entry> {
    let entry = |arch: &Arch| {
        let trainings = table.seeds(arch).into_iter().filter_map(|seed| {
            let rows = USUAL_LENGTHS.map(|length| table.row(arch, seed, length));
            let rows: Vec<_> = rows.into_iter().collect::<Option<_>>()?;
            Some(Training {
                values: rows.iter().map(|row| row.scores.map(|s| -s.frechet.ln())).collect(),
                costs: rows.iter().map(|row| row.seconds).collect(),
            })
        });
        Some(Entry { point: space.point(arch)?, trainings: trainings.collect() })
    };
    let all = table.archs(cells).filter_map(entry);
    all.filter(|entry| !entry.trainings.is_empty()).collect()
}

/// The names of the lengths of the table's trainings that are fidelities.
pub(crate) fn length_names() -> [String; USUAL_LENGTHS.len()] {
    USUAL_LENGTHS.map(|length| format!("{length} iterations"))
}

/// The fidelities of these names, with their mean costs.
pub(crate) fn fidelities(entries: &[Entry], names: &[String]) -> Vec<Fidelity> {
    let cost = |at: usize| {
        let all = entries.iter().flat_map(|entry| &entry.trainings);
        mean(&all.map(|training| training.costs[at]).collect::<Vec<_>>())
    };
    let fidelity = |(at, name): (usize, &String)| Fidelity {
        name: name.clone(),
        cost: cost(at),
        continues: true,
    };
    names.iter().enumerate().map(fidelity).collect()
}

/// The mean of each entry, drawn towards what the effects of its choices predict from all other entries: the more, the
/// noisier it is. So the best of them is no overestimate, as the best of the means would be.
fn shrunk(space: &Space, entries: &[Entry], values: &Values, noise: f64) -> Result<Vec<f64>> {
    let sizes: Vec<usize> = space.tokens().iter().map(|token| token.choices.len()).collect();
    let points: Vec<&Point> = entries.iter().map(|entry| &entry.point).collect();
    let means = values.means();
    let predicted = calibrated(&effects::fit(&sizes, &points, &means)?.left_out, &means);
    let errors: Vec<f64> = values.of.iter().map(|of| noise / of.len() as f64).collect();
    let squares: Vec<f64> = means.iter().zip(&predicted).map(|(m, p)| (m - p).powi(2)).collect();
    // What the predictions miss beyond the noise of the means.
    let missed = (mean(&squares) - mean(&errors)).max(0.0);
    let weight = |error: f64| if missed + error > 0.0 { missed / (missed + error) } else { 1.0 };
    let parts = means.iter().zip(&predicted).zip(&errors);
    Ok(parts.map(|((mean, prior), &error)| prior + weight(error) * (mean - prior)).collect())
}

/// The predictions on the line through which they predict the values best: predictions from noisy values scatter too
/// widely, so that the largest promise too much.
fn calibrated(predicted: &[f64], values: &[f64]) -> Vec<f64> {
    let (middle, of_values) = (mean(predicted), mean(values));
    let squares: f64 = predicted.iter().map(|p| (p - middle).powi(2)).sum();
    let products = predicted.iter().zip(values).map(|(p, v)| (p - middle) * (v - of_values));
    let slope = if squares > 0.0 { products.sum::<f64>() / squares } else { 0.0 };
    predicted.iter().map(|p| of_values + slope * (p - middle)).collect()
}

fn about(cells: usize, all: usize, known: usize, entries: &[Entry]) -> About {
    let trainings: usize = entries.iter().map(|entry| entry.trainings.len()).sum();
    let part = match entries.len() == all {
        true => format!("All {all} architectures are searched"),
        false => format!(
            "Of the {all} architectures the table has {known}. {} of these have two or more seeds, and strategies know \
             and search only these. The table is not complete: a strategy that goes from an architecture to its \
             neighbours meets fewer of them than in the whole space",
            entries.len()
        ),
    };
    About {
        name: format!("the table, {cells} cell{}", if cells == 1 { "" } else { "s" }),
        value: "−log F".into(),
        unit: "thread-seconds".into(),
        notes: vec![
            format!("{part}. They were trained {trainings} times."),
            "A query is answered by one training of its architecture. The seed of a run puts the trainings of each \
             architecture into a random order, and the last one in this order is never told. When a strategy asks for \
             more trainings than there are, it is told one of them again, at its full cost."
                .into(),
            "An architecture is judged by the mean over the trainings that the strategy was not told. So a strategy \
             gains nothing from a training that was good by luck."
                .into(),
            "Regret counts from the best architecture of the table. The value of the best one is an estimate, because \
             the best of the plain means would be too good. So each mean is drawn towards a prediction from all other \
             architectures, and the noisier the mean is, the more. The best of the drawn means is taken. An error of \
             this value moves all curves up or down together."
                .into(),
        ],
    }
}

impl Testbed for Tabular {
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
        self.noise
    }

    fn world(&self, seed: u64) -> Result<Box<dyn World + '_>> {
        let mut rng = stream(seed, streams::WHOLE);
        let mut shuffled = |entry: &Entry| {
            let mut order: Vec<usize> = (0..entry.trainings.len()).collect();
            order.shuffle(&mut rng);
            order
        };
        let orders = self.entries.iter().map(&mut shuffled).collect();
        Ok(Box::new(TabularWorld { table: self, orders }))
    }
}

/// A table with the trainings of each entry in an order.
struct TabularWorld<'a> {
    table: &'a Tabular,
    orders: Vec<Vec<usize>>,
}

impl TabularWorld<'_> {
    /// The training that a repeat of an entry is.
    fn training_of(&self, entry: usize, repeat: usize) -> usize {
        self.orders[entry][repeat % self.table.tellable(entry)]
    }
}

impl World for TabularWorld<'_> {
    fn training(&self, query: &Query) -> Result<Outcome> {
        let entry = self.table.place(&query.point)?;
        let training = &self.table.entries[entry].trainings[self.training_of(entry, query.repeat)];
        let at = training.values.get(query.fidelity).zip(training.costs.get(query.fidelity));
        let Some((&value, &cost)) = at else {
            let expected = format!("below {}", training.values.len());
            return Err(CompareError::unfit("a fidelity", expected, query.fidelity.to_string()));
        };
        Ok(Outcome { value, cost })
    }

    fn trainings(&self, point: &Point) -> Option<usize> {
        let entry = self.table.places.get(point)?;
        Some(self.table.tellable(*entry))
    }

    fn judged(&self, point: &Point, told: &BTreeSet<usize>) -> Result<f64> {
        let entry = self.table.place(point)?;
        let told = match self.table.judge {
            Judge::All => BTreeSet::new(),
            Judge::Others => told.iter().map(|&repeat| self.training_of(entry, repeat)).collect(),
        };
        Ok(self.table.values.mean_beyond(entry, &told))
    }

    fn value(&self, point: &Point) -> Result<f64> {
        Ok(self.table.estimates[self.table.place(point)?])
    }

    fn best(&self) -> f64 {
        self.table.best
    }

    fn average(&self) -> f64 {
        self.table.average
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::made_up;

    fn query(point: &Point, fidelity: usize, repeat: usize) -> Query {
        Query { point: point.clone(), fidelity, repeat }
    }

    /// Three architectures with 2, 3 and 2 seeds, another with one seed; −log F after 300 iterations by hand.
    fn hand_made() -> Tabular {
        let rows = [
            ("0 0 0 0", 0, [Some(-3.0), Some(-2.0), Some(-1.0)]),
            ("0 0 0 0", 1, [Some(-3.0), Some(-2.0), Some(-2.0)]),
            ("1 0 0 0", 0, [Some(-3.0), Some(-3.0), Some(-3.0)]),
            ("1 0 0 0", 1, [Some(-3.0), Some(-3.0), Some(-4.0)]),
            ("1 0 0 0", 2, [Some(-3.0), Some(-3.0), Some(-5.0)]),
            ("0 1 0 0", 0, [Some(-3.0), None, None]),
            ("0 1 0 0", 1, [Some(-3.0), Some(-3.0), Some(-2.0)]),
            ("0 0 1 0", 7, [Some(-3.0), Some(-3.0), Some(-1.0)]),
        ];
        let rows = rows.iter().flat_map(|(arch, seed, values)| made_up::rows(arch, *seed, *values));
        Tabular::new(&Table::new(rows.collect()), 1).unwrap()
    }

    #[test]
    fn a_point_is_judged_by_the_seeds_that_were_not_told() {
        let table = hand_made();
        assert_eq!(table.space().count(), 3, "one seed is not enough to be judged by another");
        let of = |arch: &str| table.space().point(&arch.parse().unwrap()).unwrap();
        let (two, three, bad) = (of("0 0 0 0"), of("1 0 0 0"), of("0 1 0 0"));
        let none = BTreeSet::new();
        let mut orders = BTreeSet::new();
        for seed in 0..40 {
            let world = table.world(seed).unwrap();
            assert_eq!((world.trainings(&two), world.trainings(&three)), (Some(1), Some(2)));
            assert_eq!(world.judged(&three, &none).unwrap(), -4.0);
            let told = |repeat| world.training(&query(&three, 2, repeat)).unwrap().value.unwrap();
            let (first, second) = (told(0), told(1));
            orders.insert((first as i64, second as i64));
            assert_eq!(told(2), first, "there is no third: the first once more");
            let judged = |told: &[usize]| world.judged(&three, &told.iter().copied().collect());
            assert!((judged(&[0]).unwrap() - (-12.0 - first) / 2.0).abs() < 1e-12);
            assert!((judged(&[0, 1, 2]).unwrap() - (-12.0 - first - second)).abs() < 1e-12);
            // What was not told of the other is either a training that diverged, as bad as the worst, or the other.
            let first = world.training(&query(&bad, 2, 0)).unwrap().value;
            let judged = world.judged(&bad, &[0].into()).unwrap();
            assert_eq!(judged, if first.is_none() { -2.0 } else { -5.0 });
        }
        assert_eq!(orders.len(), 6, "every order is drawn: {orders:?}");
        // Squares 0.5, 2 and 4.5 of 1, 2 and 1 degrees of freedom.
        assert!((table.noise() - (7.0_f64 / 4.0).sqrt()).abs() < 1e-12);
        assert!(table.about().notes.iter().any(|note| note.starts_with("1 training diverged")));
    }

    #[test]
    fn the_orders_of_trainings_do_not_follow_what_strategies_draw() {
        let made = made_up::table(1, 3, 5, 0.16);
        let table = Tabular::new(&made.table, 1).unwrap();
        let mut same = 0;
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let world = table.world(seed).unwrap();
            for entry in &table.entries {
                let mut order: Vec<usize> = (0..entry.trainings.len()).collect();
                order.shuffle(&mut rng);
                let first = world.training(&query(&entry.point, 2, 0)).unwrap().value;
                same += usize::from(first == entry.trainings[order[0]].values[2]);
            }
        }
        // Of 720 first trainings a fifth are the same by chance.
        assert!((90..200).contains(&same), "{same}");
    }

    #[test]
    fn costs_are_those_of_the_training_and_other_points_are_refused() {
        let table = hand_made();
        let of = |arch: &str| table.space().point(&arch.parse().unwrap()).unwrap();
        let world = table.world(0).unwrap();
        let costs = [0, 1, 2].map(|at| world.training(&query(&of("0 0 0 0"), at, 0)).unwrap().cost);
        assert_eq!(costs, made_up::SECONDS);
        assert_eq!(table.fidelities().iter().map(|f| f.cost).collect::<Vec<_>>(), costs);
        assert!(world.training(&query(&of("0 0 0 0"), 3, 0)).is_err());
        let all = Space::of_archs(1);
        let unknown = all.point(&"0 0 1 0".parse().unwrap()).unwrap();
        let error = world.training(&query(&unknown, 0, 0)).unwrap_err().to_string();
        assert!(error.contains("one of the table"), "{error}");
        let error = Tabular::new(&Table::new(vec![]), 2).unwrap_err().to_string();
        assert!(error.contains("three or more, found 0"), "{error}");
    }

    #[test]
    fn the_best_value_is_not_too_good() {
        // Over many tables with known true values: the estimate of the best against the true value of the point that it
        // belongs to.
        let (mut plain, mut shrunk) = (vec![], vec![]);
        for seed in 0..120 {
            let made = made_up::table(1, seed, 2, 0.3);
            let table = Tabular::new(&made.table, 1).unwrap();
            let means = table.values.means();
            let best = |of: &[f64]| (0..of.len()).max_by(|&a, &b| of[a].total_cmp(&of[b])).unwrap();
            let off = |of: &[f64]| of[best(of)] - made.truth[&table.entries[best(of)].point];
            plain.push(off(&means));
            shrunk.push(off(&table.estimates));
        }
        assert!(mean(&plain) > 0.15, "the best of the means is too good: {}", mean(&plain));
        assert!(mean(&shrunk).abs() < 0.05, "{}", mean(&shrunk));
    }
}
