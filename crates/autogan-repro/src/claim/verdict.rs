//! [`verdict`] says what a round shows.

use autogan_stats::{Difference, mean, mean_interval, sign_permutation};

use super::{Arm, LEAST, LEVEL, Round, Row};

/// The proposed default minus another arm, in −ln of the Fréchet distance.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    /// The other arm.
    pub arm: Arm,
    /// The differences by seed.
    pub differences: Vec<f64>,
    /// Their mean with its 95 % interval; `None` with fewer than two.
    pub mean: Option<Difference>,
    /// The two-sided p-value of the permutation of signs; `None` without differences.
    pub p: Option<f64>,
}

impl Contrast {
    /// Whether it is significant and at least [`LEAST`].
    pub fn holds(&self) -> bool {
        let large = self.mean.is_some_and(|difference| difference.estimate >= LEAST);
        large && self.p.is_some_and(|p| p < LEVEL)
    }
}

/// What a round shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Seeds whose searches are all finished, of all of the round.
    pub seeds: (usize, usize),
    /// The mean of each arm over these seeds, in −ln of the Fréchet distance, and of the Inception Score.
    pub means: Vec<(Arm, f64, f64)>,
    /// The proposed default minus each of the other searches and the hand-made network.
    pub contrasts: Vec<Contrast>,
}

impl Verdict {
    /// Whether the round is finished and the claim holds: `None` before the end of the round.
    pub fn holds(&self) -> Option<bool> {
        let compared = |contrast: &&Contrast| Arm::COMPARED.contains(&contrast.arm);
        let holds = self.contrasts.iter().filter(compared).all(Contrast::holds);
        (self.seeds.0 == self.seeds.1).then_some(holds)
    }
}

/// What the rows of a round show, over the seeds for which all arms are finished. A training whose networks diverged counts as
/// the worst of the round.
pub fn verdict(round: Round, rows: &[Row]) -> Verdict {
    let of = |seed: u64, arm: Arm| rows.iter().find(|row| (row.seed, row.arm) == (seed, arm));
    let whole = |seed: &u64| Arm::ALL.iter().all(|&arm| of(*seed, arm).is_some());
    let seeds: Vec<u64> = round.seeds().filter(whole).collect();
    let scores = || rows.iter().flat_map(|row| row.trainings.iter().flatten());
    let worst = scores().map(|(frechet, _)| -frechet.ln()).fold(f64::INFINITY, f64::min);
    let least = scores().map(|(_, is)| *is).fold(f64::INFINITY, f64::min);
    let endpoint = |row: &Row| {
        let values = row.trainings.iter().map(|t| t.map_or(worst, |(frechet, _)| -frechet.ln()));
        mean(&values.collect::<Vec<_>>())
    };
    let inception = |row: &Row| {
        let values = row.trainings.iter().map(|t| t.map_or(least, |(_, is)| is));
        mean(&values.collect::<Vec<_>>())
    };
    let all = |arm: Arm, value: &dyn Fn(&Row) -> f64| -> Vec<f64> {
        seeds.iter().filter_map(|&seed| of(seed, arm)).map(value).collect()
    };
    let means =
        Arm::ALL.map(|arm| (arm, mean(&all(arm, &endpoint)), mean(&all(arm, &inception)))).to_vec();
    let led = all(Arm::Led, &endpoint);
    let contrast = |arm: Arm| {
        let pairs = led.iter().zip(all(arm, &endpoint));
        let differences: Vec<f64> = pairs.map(|(led, other)| led - other).collect();
        let (mean, p) = (mean_interval(&differences), sign_permutation(&differences));
        Contrast { arm, differences, mean, p }
    };
    let others = Arm::ALL.into_iter().filter(|arm| *arm != Arm::Led);
    Verdict {
        seeds: (seeds.len(), round.seeds().count()),
        means,
        contrasts: others.map(contrast).collect(),
    }
}

#[cfg(test)]
mod tests {
    use autogan_space::Arch;

    use super::super::JUDGED;
    use super::*;

    /// A round in which the proposed default is better by `gap`, with noise that has no mean.
    fn rows(round: Round, gap: f64) -> Vec<Row> {
        let row = |(seed, arm): (u64, Arm)| {
            let noise = if seed % 2 == 0 { 0.05 } else { -0.05 };
            let value = if arm == Arm::Led { gap + noise } else { 0.0 };
            let scores = Some(((10.0 - value).exp(), 2.0 + value));
            Row {
                seed,
                arm,
                arch: Some(Arch::HAND_MADE),
                price: 600.0,
                seconds: 1.0,
                trainings: vec![scores; JUDGED],
            }
        };
        round.searches().into_iter().map(row).collect()
    }

    #[test]
    fn a_clear_and_large_difference_holds() {
        let round = Round::new(1).unwrap();
        let found = verdict(round, &rows(round, 0.2));
        assert_eq!((found.seeds, found.holds()), ((16, 16), Some(true)));
        let contrast = &found.contrasts[0];
        assert!((contrast.mean.unwrap().estimate - 0.2).abs() < 1e-9);
        assert_eq!(contrast.p, Some(2.0 / 65536.0));
        assert!((found.means[0].1 + 9.8).abs() < 1e-9 && (found.means[0].2 - 2.2).abs() < 1e-9);
    }

    #[test]
    fn a_small_difference_or_no_difference_refutes_it() {
        let round = Round::new(1).unwrap();
        assert_eq!(verdict(round, &rows(round, 0.09)).holds(), Some(false), "clear but small");
        assert_eq!(verdict(round, &rows(round, 0.0)).holds(), Some(false));
        let mut one = rows(round, 0.2);
        for row in one.iter_mut().filter(|row| row.arm == Arm::HandMade) {
            row.trainings = vec![Some((9.8f64.exp(), 2.0)); JUDGED];
        }
        assert_eq!(verdict(round, &one).holds(), Some(false), "one of the three is enough");
        for row in one.iter_mut().filter(|row| row.arm == Arm::HandMade) {
            row.trainings = vec![Some((10f64.exp(), 2.0)); JUDGED];
        }
        for row in one.iter_mut().filter(|row| row.arm == Arm::Controller) {
            row.trainings = vec![Some((9.8f64.exp(), 2.0)); JUDGED];
        }
        assert_eq!(verdict(round, &one).holds(), Some(true), "the controller is none of the three");
    }

    #[test]
    fn half_a_round_says_nothing_and_a_diverged_training_is_the_worst() {
        let round = Round::new(1).unwrap();
        let mut all = rows(round, 0.2);
        all[0].trainings[0] = None;
        let found = verdict(round, &all);
        let worst = -10.0;
        let expected = (5.0 * (-10.0 + 0.25) + worst) / 6.0 + 10.0;
        assert!((found.contrasts[0].differences[0] - expected).abs() < 1e-9);
        all.pop();
        let found = verdict(round, &all);
        assert_eq!((found.seeds, found.holds()), ((15, 16), None));
    }
}
