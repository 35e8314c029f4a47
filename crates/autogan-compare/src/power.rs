//! [`power`] simulates how often a test finds a difference between two strategies' winners that is there.

use autogan_stats::{mean, sign_permutation};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::Serialize;

use crate::error::{CompareError, Result};

/// An experiment that compares two strategies: with each of its seeds both search once, and each winner is trained
/// several times anew.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PowerPlan {
    /// The true difference of the winners' values.
    pub difference: f64,
    /// The standard deviation of a single training.
    pub noise: f64,
    /// Trainings of each winner.
    pub trainings: usize,
    /// The p-value below which the difference counts as found.
    pub level: f64,
    /// The numbers of seeds that are tried, up to 44.
    pub seeds: Vec<usize>,
    /// Experiments that are simulated for each of them.
    pub experiments: usize,
}

/// What so many seeds find.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PowerRow {
    /// The seeds.
    pub seeds: usize,
    /// How often the test finds the difference.
    pub power: f64,
    /// How often it does, and the mean found is at least the true difference as well.
    pub as_large: f64,
    /// How often the test finds a difference where there is none; at most the level.
    pub false_alarms: f64,
    /// The standard error of `power`.
    pub error: f64,
}

/// The power of the two-sided sign permutation test over seeds. The winners of both strategies scatter as the values in
/// `one` and `other` do; only their scatter counts, not their means.
///
/// # Errors
/// When a number of the plan cannot be, or a strategy has no winners.
pub fn power(plan: &PowerPlan, one: &[f64], other: &[f64], seed: u64) -> Result<Vec<PowerRow>> {
    check(plan, one, other)?;
    let (one, other) = (scatter(one), scatter(other));
    let row = |&seeds: &usize| {
        let found = |at: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream((seeds * plan.experiments + at) as u64);
            experiment(plan, &one, &other, seeds, &mut rng)
        };
        let all: Vec<[bool; 3]> = (0..plan.experiments).into_par_iter().map(found).collect();
        let share = |which: usize| {
            all.iter().filter(|found| found[which]).count() as f64 / plan.experiments as f64
        };
        let power = share(0);
        let error = (power * (1.0 - power) / plan.experiments as f64).sqrt();
        PowerRow { seeds, power, as_large: share(1), false_alarms: share(2), error }
    };
    Ok(plan.seeds.iter().map(row).collect())
}

/// Whether the difference is found, found as large as it is, and found where there is none.
fn experiment(
    plan: &PowerPlan,
    one: &[f64],
    other: &[f64],
    seeds: usize,
    rng: &mut ChaCha8Rng,
) -> [bool; 3] {
    let noise = plan.noise * (2.0 / plan.trainings as f64).sqrt();
    let mut difference = || {
        let normal: f64 = StandardNormal.sample(rng);
        one[rng.random_range(0..one.len())] - other[rng.random_range(0..other.len())]
            + noise * normal
    };
    let without: Vec<f64> = (0..seeds).map(|_| difference()).collect();
    let with: Vec<f64> = without.iter().map(|value| value + plan.difference).collect();
    let clear = |values: &[f64]| sign_permutation(values).is_some_and(|p| p < plan.level);
    let found = clear(&with);
    [found, found && mean(&with) >= plan.difference, clear(&without)]
}

fn scatter(values: &[f64]) -> Vec<f64> {
    let middle = mean(values);
    values.iter().map(|value| value - middle).collect()
}

fn check(plan: &PowerPlan, one: &[f64], other: &[f64]) -> Result<()> {
    let unfit =
        |what: &str, expected: &str, found: String| Err(CompareError::unfit(what, expected, found));
    if one.is_empty() || other.is_empty() {
        return unfit("winners of a strategy", "one or more", "none".into());
    }
    if !(plan.difference.is_finite() && plan.difference > 0.0) {
        return unfit("the difference", "a number above 0", plan.difference.to_string());
    }
    if !(plan.noise.is_finite() && plan.noise >= 0.0) {
        return unfit("the noise", "0 or more", plan.noise.to_string());
    }
    if plan.trainings == 0 || plan.experiments == 0 {
        return unfit("trainings and experiments", "1 or more", "0".into());
    }
    match plan.seeds.iter().find(|&&seeds| !(1..=44).contains(&seeds)) {
        Some(seeds) => unfit("seeds", "1 to 44", seeds.to_string()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(difference: f64, noise: f64, seeds: &[usize]) -> PowerPlan {
        let seeds = seeds.to_vec();
        PowerPlan { difference, noise, trainings: 6, level: 0.01 / 3.0, seeds, experiments: 600 }
    }

    #[test]
    fn power_is_that_of_the_normal_test_and_rises_with_seeds() {
        // Without scatter of winners: differences have SD 0.3 sqrt(2 / 6) = 0.1732, so the mean of 20 has 0.0387, and
        // 0.1 lies 2.58 of these from 0. The normal test at 0.00333 needs 2.935: its power is Φ(2.58 - 2.935) = 0.36,
        // that of the t-test 0.29, and the permutation test is as good as that.
        let rows = power(&plan(0.1, 0.3, &[12, 20, 32]), &[0.0], &[5.0], 1).unwrap();
        assert!((rows[1].power - 0.29).abs() < 0.06, "{rows:?}");
        assert!(rows[0].power < rows[1].power && rows[1].power < rows[2].power, "{rows:?}");
        assert!(rows.iter().all(|row| row.false_alarms < 0.015 && row.as_large <= row.power));
        // The mean found is below the true difference half the time.
        let sure = power(&plan(0.5, 0.1, &[20]), &[0.0], &[0.0], 1).unwrap();
        assert!(sure[0].power == 1.0 && (sure[0].as_large - 0.5).abs() < 0.07, "{sure:?}");
        // Scatter of the winners takes power; too few seeds never reach the level, 2 / 2^8 = 0.0078.
        let wide = power(&plan(0.1, 0.3, &[8, 32]), &[-0.3, 0.3], &[0.2, -0.2], 1).unwrap();
        assert!(wide[0].power == 0.0 && wide[1].power < rows[2].power, "{wide:?}");
    }

    #[test]
    fn plans_that_cannot_be_are_refused() {
        for (wrong, says) in [
            (plan(0.0, 0.1, &[16]), "above 0"),
            (plan(0.1, f64::NAN, &[16]), "0 or more"),
            (plan(0.1, 0.1, &[45]), "1 to 44, found 45"),
            (PowerPlan { trainings: 0, ..plan(0.1, 0.1, &[16]) }, "1 or more"),
        ] {
            let error = power(&wrong, &[0.0], &[0.0], 1).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(power(&plan(0.1, 0.1, &[16]), &[], &[0.0], 1).is_err());
    }
}
