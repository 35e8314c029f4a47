//! A [`Landscape`] is a world without a table: effects of choices and pairs, a rest of each point's own, and noise of
//! each training, all at each fidelity.

use std::borrow::Cow;
use std::collections::BTreeSet;

use autogan_strategies::{Effects, Fidelity, Point, Query, Space};
use rand_chacha::ChaCha8Rng;

use crate::chain::Chain;
use crate::error::{CompareError, Result};
use crate::streams::{self, stream};
use crate::testbed::{Outcome, World};

/// Trainings of one point that have streams of random numbers of their own.
const MOST_REPEATS: u64 = 1 << 20;

/// What a landscape is made of.
#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    pub space: &'a Space,
    pub fidelities: &'a [Fidelity],
    /// The effects at each fidelity.
    pub effects: Cow<'a, [Effects]>,
    /// What a point has beyond them.
    pub rest: &'a Chain,
    /// How trainings of one point differ.
    pub noise: &'a Chain,
}

/// A world that is drawn around effects.
pub(crate) struct Landscape<'a> {
    parts: Parts<'a>,
    seed: u64,
    last: usize,
    best: f64,
    average: f64,
}

impl<'a> Landscape<'a> {
    /// The landscape of a seed. It visits every point to know the best.
    pub fn new(parts: Parts<'a>, seed: u64) -> Self {
        let last = parts.fidelities.len().saturating_sub(1);
        let mut landscape = Self { parts, seed, last, best: f64::NEG_INFINITY, average: 0.0 };
        let count = landscape.parts.space.count();
        let mut sum = 0.0;
        for at in 0..count {
            let value = landscape.true_value(&landscape.parts.space.at(at), last);
            landscape.best = landscape.best.max(value);
            sum += value;
        }
        landscape.average = sum / count as f64;
        landscape
    }

    /// The value of a point at a fidelity, without noise.
    fn true_value(&self, point: &Point, fidelity: usize) -> f64 {
        let rest = self.parts.rest.draw(fidelity, &mut self.stream(point, 0));
        self.parts.effects[fidelity].value(point) + rest
    }

    /// The random numbers of a point's rest, or of a training of it.
    fn stream(&self, point: &Point, which: u64) -> ChaCha8Rng {
        let tokens = self.parts.space.tokens().iter().zip(&point.0);
        let place = tokens.fold(0, |place, (token, &choice)| {
            place * token.choices.len() as u64 + u64::from(choice)
        });
        stream(self.seed, streams::POINTS + place * MOST_REPEATS + which)
    }

    fn check(&self, point: &Point) -> Result<()> {
        match self.parts.space.contains(point) {
            true => Ok(()),
            false => {
                Err(CompareError::unfit("a point", "one of the space", format!("{:?}", point.0)))
            }
        }
    }
}

impl World for Landscape<'_> {
    fn training(&self, query: &Query) -> Result<Outcome> {
        self.check(&query.point)?;
        let Some(fidelity) = self.parts.fidelities.get(query.fidelity) else {
            let expected = format!("below {}", self.parts.fidelities.len());
            return Err(CompareError::unfit("a fidelity", expected, query.fidelity.to_string()));
        };
        let repeat = query.repeat as u64 + 1;
        if repeat >= MOST_REPEATS {
            let expected = format!("below {}", MOST_REPEATS - 1);
            return Err(CompareError::unfit("a repeat", expected, query.repeat.to_string()));
        }
        let noise = self.parts.noise.draw(query.fidelity, &mut self.stream(&query.point, repeat));
        let value = self.true_value(&query.point, query.fidelity) + noise;
        Ok(Outcome { value: Some(value), cost: fidelity.cost })
    }

    fn trainings(&self, _: &Point) -> Option<usize> {
        None
    }

    fn judged(&self, point: &Point, _: &BTreeSet<usize>) -> Result<f64> {
        self.value(point)
    }

    fn value(&self, point: &Point) -> Result<f64> {
        self.check(point)?;
        Ok(self.true_value(point, self.last))
    }

    fn best(&self) -> f64 {
        self.best
    }

    fn average(&self) -> f64 {
        self.average
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::synthetic::Synthetic;
    use crate::testbed::Testbed;

    #[test]
    fn no_point_shares_random_numbers_with_the_strategies() {
        let testbed = Synthetic::new(1).unwrap();
        let chain = Chain::new(vec![1.0], vec![]);
        let parts = Parts {
            space: testbed.space(),
            fidelities: &testbed.fidelities()[2..],
            effects: Cow::Owned(vec![Effects::new(
                0.0,
                vec![vec![0.0; 3]; 4],
                vec![vec![0.0; 9]; 6],
            )]),
            rest: &chain,
            noise: &chain,
        };
        for seed in 0..5 {
            let landscape = Landscape::new(parts.clone(), seed);
            let of_strategies = ChaCha8Rng::seed_from_u64(seed).next_u64();
            for at in 0..testbed.space().count() {
                let point = testbed.space().at(at);
                for which in 0..3 {
                    assert_ne!(landscape.stream(&point, which).next_u64(), of_strategies);
                }
            }
        }
    }
}
