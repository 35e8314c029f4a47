//! [`Synthetic`] draws landscapes of the shape that was measured on AutoGAN's space.

use std::borrow::Cow;

use autogan_space::MAX_CELLS;
use autogan_strategies::{Effects, Fidelity, Space};
use autogan_table::{USUAL_LENGTHS, expected_seconds};

use crate::chain::Chain;
use crate::effects::Weights;
use crate::error::{CompareError, Result};
use crate::landscape::{Landscape, Parts};
use crate::streams::{self, stream};
use crate::testbed::{About, Testbed, World};

/// Parts of the variance of log F that main effects, pairs and the rest explained on CIFAR-10.
const PARTS: [f64; 3] = [0.83, 0.10, 0.07];
/// The standard deviation of log F between trainings of one architecture.
const NOISE: f64 = 0.16;
/// The part of the variance of a single training's log F that is not noise.
const RELIABILITY: f64 = 0.79;
/// For each of the usual lengths of a training, Spearman's correlation of the score there with the score at the end.
const WITH_END: [f64; USUAL_LENGTHS.len()] = [0.6, 0.8, 1.0];

/// Landscapes that are drawn anew for each seed.
#[derive(Debug)]
pub struct Synthetic {
    about: About,
    space: Space,
    sizes: Vec<usize>,
    fidelities: Vec<Fidelity>,
    /// The correlation of each length but the last with the next.
    carry: Vec<f64>,
    rest: Chain,
    noise: Chain,
}

impl Synthetic {
    /// Landscapes of so many cells, 1 to 3.
    ///
    /// # Errors
    /// With another number of cells.
    pub fn new(cells: usize) -> Result<Self> {
        if !(1..=MAX_CELLS).contains(&cells) {
            return Err(CompareError::unfit("cells", "1, 2 or 3", cells.to_string()));
        }
        let space = Space::of_archs(cells);
        let sizes = space.tokens().iter().map(|token| token.choices.len()).collect();
        let fidelity = |iterations: u64| Fidelity {
            name: format!("{iterations} iterations"),
            cost: expected_seconds(cells, iterations),
            continues: true,
        };
        let with_last = WITH_END.map(linear);
        let carry: Vec<f64> = with_last.windows(2).map(|pair| pair[0] / pair[1]).collect();
        let chain = |sd: f64| Chain::new(vec![sd; WITH_END.len()], carry.clone());
        let rest = chain((PARTS[2] * true_variance()).sqrt());
        let noise = chain(NOISE);
        let fidelities = USUAL_LENGTHS.into_iter().map(fidelity).collect();
        Ok(Self { about: about(cells), space, sizes, fidelities, carry, rest, noise })
    }
}

/// The variance of the architectures' true values.
fn true_variance() -> f64 {
    NOISE * NOISE * RELIABILITY / (1.0 - RELIABILITY)
}

/// The linear correlation of normal numbers whose ranks correlate by `rho`.
fn linear(rho: f64) -> f64 {
    2.0 * (std::f64::consts::PI * rho / 6.0).sin()
}

fn about(cells: usize) -> About {
    let percent = PARTS.map(|part| (100.0 * part).round());
    let early = USUAL_LENGTHS.iter().zip(WITH_END).filter(|(_, rho)| *rho < 1.0);
    let early: Vec<String> =
        early.map(|(iterations, rho)| format!("{rho} after {iterations} iterations")).collect();
    About {
        name: format!("made-up landscapes of {cells} cell{}", if cells == 1 { "" } else { "s" }),
        value: "−log F".into(),
        unit: "thread-seconds".into(),
        notes: vec![
            format!(
                "No network was trained for this page. Each seed draws a landscape of its own: choices alone explain \
                 {} % of the variance of the true values, pairs of choices {} %, and a number of each architecture's \
                 own {} %. How the parts are shared out among tokens and pairs is drawn as well.",
                percent[0], percent[1], percent[2]
            ),
            format!(
                "True values have a standard deviation of {:.2}, and trainings of one architecture differ by {NOISE}. \
                 The score of an unfinished training correlates with its score at the end (Spearman): {}. What a \
                 shorter training measures besides is a landscape of the same shape.",
                true_variance().sqrt(),
                early.join(", ")
            ),
            "Regret is exact here: the true values are known.".into(),
        ],
    }
}

impl Testbed for Synthetic {
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
        let mut rng = stream(seed, streams::WHOLE);
        let variances = [PARTS[0], PARTS[1]].map(|part| part * true_variance());
        let mut draw = || Weights::draw(&self.sizes, variances, &mut rng);
        let mut weights = vec![draw()];
        for carry in self.carry.iter().rev() {
            let other = draw();
            let later = &weights[weights.len() - 1];
            weights.push(later.mixed(*carry, &other, (1.0 - carry * carry).sqrt()));
        }
        weights.reverse();
        let effects: Vec<Effects> = weights.iter().map(Weights::effects).collect();
        let parts = Parts {
            space: &self.space,
            fidelities: &self.fidelities,
            effects: Cow::Owned(effects),
            rest: &self.rest,
            noise: &self.noise,
        };
        Ok(Box::new(Landscape::new(parts, seed)))
    }
}

#[cfg(test)]
mod tests {
    use autogan_stats::{deviation, mean, spearman};
    use autogan_strategies::Query;

    use super::*;

    fn scores(world: &dyn World, space: &Space, fidelity: usize, repeat: usize) -> Vec<f64> {
        let query = |at| Query { point: space.at(at), fidelity, repeat };
        let value = |at| world.training(&query(at)).unwrap().value.unwrap();
        (0..space.count()).map(value).collect()
    }

    #[test]
    fn landscapes_have_the_shape_that_they_promise() {
        let testbed = Synthetic::new(2).unwrap();
        let space = testbed.space();
        let (mut short, mut middle, mut spread, mut noise) = (vec![], vec![], vec![], vec![]);
        for seed in 0..12 {
            let world = testbed.world(seed).unwrap();
            let world = world.as_ref();
            let [one, two, three] = [0, 1, 2].map(|fidelity| scores(world, space, fidelity, 0));
            let rho = |early: &[f64]| {
                let pairs: Vec<(f64, f64)> = early.iter().copied().zip(three.clone()).collect();
                spearman(&pairs).unwrap().rho
            };
            short.push(rho(&one));
            middle.push(rho(&two));
            let truth: Vec<f64> =
                (0..space.count()).map(|at| world.value(&space.at(at)).unwrap()).collect();
            spread.push(deviation(&truth));
            let off: Vec<f64> = three.iter().zip(&truth).map(|(a, b)| a - b).collect();
            noise.push(deviation(&off));
            let best = truth.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!(world.best(), best);
            assert!((world.average() - mean(&truth)).abs() < 1e-9);
        }
        assert!((mean(&short) - 0.6).abs() < 0.06, "{short:?}");
        assert!((mean(&middle) - 0.8).abs() < 0.05, "{middle:?}");
        assert!((mean(&spread) - 0.31).abs() < 0.01, "{spread:?}");
        assert!((mean(&noise) - 0.16).abs() < 0.003, "{noise:?}");
    }

    #[test]
    fn trainings_are_the_same_whenever_they_are_asked() {
        let testbed = Synthetic::new(1).unwrap();
        let (one, two) = (testbed.world(3).unwrap(), testbed.world(3).unwrap());
        let space = testbed.space();
        assert_eq!(scores(one.as_ref(), space, 2, 1), scores(two.as_ref(), space, 2, 1));
        let other = testbed.world(4).unwrap();
        assert_ne!(scores(one.as_ref(), space, 2, 1), scores(one.as_ref(), space, 2, 0));
        assert_ne!(scores(one.as_ref(), space, 2, 1), scores(other.as_ref(), space, 2, 1));
        let unfit = Query { point: space.at(0), fidelity: 3, repeat: 0 };
        assert!(one.training(&unfit).unwrap_err().to_string().contains("below 3"));
        assert!(Synthetic::new(4).unwrap_err().to_string().contains("1, 2 or 3"));
    }
}
