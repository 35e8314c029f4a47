//! Tables that are made up, for tests.

use std::collections::HashMap;

use autogan_strategies::{Point, Query, Space};
use autogan_table::{Row, Scores, Table, USUAL_LENGTHS};

use crate::synthetic::Synthetic;
use crate::testbed::Testbed;

/// Seconds of each training after the usual lengths.
pub const SECONDS: [f64; 3] = [1.0, 2.0, 4.0];

/// The rows of a training with these values of −log F after the usual lengths.
pub fn rows(arch: &str, seed: u64, values: [Option<f64>; 3]) -> Vec<Row> {
    let places = USUAL_LENGTHS.into_iter().zip(values).zip(SECONDS);
    let row = |((iterations, value), seconds): ((u64, Option<f64>), f64)| Row {
        arch: arch.parse().unwrap(),
        seed,
        iterations,
        scores: value.map(|value| Scores { is: 2.0, frechet: (-value).exp() }),
        params: 1,
        macs: 1,
        seconds,
    };
    places.map(row).collect()
}

/// A table with what is true of it.
pub struct MadeUp {
    pub table: Table,
    pub truth: HashMap<Point, f64>,
}

/// A table of so many cells, drawn from a made-up landscape with `seeds` trainings of every point, whose noise is
/// changed to `noise`.
pub fn table(cells: usize, seed: u64, seeds: usize, noise: f64) -> MadeUp {
    let space = Space::of_archs(cells);
    let points: Vec<Point> = (0..space.count()).map(|at| space.at(at)).collect();
    table_of(cells, &points, seed, seeds, noise)
}

/// The same with these points alone.
pub fn table_of(cells: usize, points: &[Point], seed: u64, seeds: usize, noise: f64) -> MadeUp {
    let testbed = Synthetic::new(cells).unwrap();
    let world = testbed.world(seed).unwrap();
    let (mut all, mut truth) = (Vec::new(), HashMap::new());
    for point in points {
        let value = world.value(point).unwrap();
        truth.insert(point.clone(), value);
        for repeat in 0..seeds {
            let at = |fidelity| {
                let query = Query { point: point.clone(), fidelity, repeat };
                let told = world.training(&query).unwrap().value.unwrap();
                if fidelity < 2 { told } else { value + (told - value) * noise / testbed.noise() }
            };
            let arch = testbed.space().arch(point).unwrap().to_string();
            all.extend(rows(&arch, repeat as u64, [0, 1, 2].map(|fidelity| Some(at(fidelity)))));
        }
    }
    MadeUp { table: Table::new(all), truth }
}
