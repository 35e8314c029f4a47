//! [`Contrasts`] turn a point into features: one-hot tokens whose sums are taken out, and their products in pairs.
//!
//! A token with `c` choices gets `c − 1` features: the corners of a regular simplex around 0, each at distance 1. That is the
//! one-hot code less its mean, in an orthonormal basis: no choice is special, a main effect sums to 0 over a token's
//! choices, and an effect of a pair sums to 0 over the choices of either token. So main effects and pairs share nothing, and
//! each can have a prior variance of its own. A space of three cells has 1 + 22 + 222 features instead of 1 + 36 + 599.

use crate::model::effects::Effects;
use crate::space::{Point, Space};

/// The features of a space's points: a constant, the main effects, the pairs.
#[derive(Clone, Debug)]
pub(crate) struct Contrasts {
    /// For each token and choice, the corner of the simplex.
    corners: Vec<Vec<Vec<f64>>>,
    /// The number of features of main effects.
    pub mains: usize,
    /// The number of features of pairs.
    pub pairs: usize,
}

impl Contrasts {
    pub fn new(space: &Space) -> Self {
        let corners: Vec<Vec<Vec<f64>>> =
            space.tokens().iter().map(|token| simplex(token.choices.len())).collect();
        let dims: Vec<usize> = corners.iter().map(|corners| corners[0].len()).collect();
        let mains = dims.iter().sum::<usize>();
        let pairs = (mains * mains - dims.iter().map(|dim| dim * dim).sum::<usize>()) / 2;
        Self { corners, mains, pairs }
    }

    /// The number of tokens.
    pub fn tokens(&self) -> usize {
        self.corners.len()
    }

    /// The number of pairs of tokens.
    pub fn token_pairs(&self) -> usize {
        self.tokens() * self.tokens().saturating_sub(1) / 2
    }

    /// The number of all features.
    pub fn width(&self) -> usize {
        1 + self.mains + self.pairs
    }

    /// Writes the features of a point, [`Contrasts::width`] of them.
    pub fn write(&self, point: &Point, mut put: impl FnMut(usize, f64)) {
        put(0, 1.0);
        let corner = |token: usize| &self.corners[token][usize::from(point.0[token])];
        let mut at = 1;
        for token in 0..self.tokens() {
            for &value in corner(token) {
                put(at, value);
                at += 1;
            }
        }
        for one in 0..self.tokens() {
            for two in one + 1..self.tokens() {
                for &a in corner(one) {
                    for &b in corner(two) {
                        put(at, a * b);
                        at += 1;
                    }
                }
            }
        }
    }

    /// The effects of choices that weights of the features stand for.
    pub fn effects(&self, weights: &[f64]) -> Effects {
        let mut at = 1;
        let main = self.corners.iter().map(|corners| {
            let part = &weights[at..at + corners[0].len()];
            at += part.len();
            corners.iter().map(|corner| dot(corner, part)).collect()
        });
        let main: Vec<Vec<f64>> = main.collect();
        let mut pairs = Vec::new();
        for (one, first) in self.corners.iter().enumerate() {
            for second in &self.corners[one + 1..] {
                let (rows, cols) = (first[0].len(), second[0].len());
                let part = &weights[at..at + rows * cols];
                at += part.len();
                let mut table = Vec::with_capacity(first.len() * second.len());
                for a in first {
                    let across: Vec<f64> = (0..cols)
                        .map(|col| (0..rows).map(|row| a[row] * part[row * cols + col]).sum())
                        .collect();
                    table.extend(second.iter().map(|b| dot(b, &across)));
                }
                pairs.push(table);
            }
        }
        Effects::new(weights[0], main, pairs)
    }

    /// The features of a main effect of a choice: the index of the first, and their values.
    pub fn main_effect(&self, token: usize, choice: usize) -> (usize, &[f64]) {
        let before: usize = self.corners[..token].iter().map(|corners| corners[0].len()).sum();
        (1 + before, &self.corners[token][choice])
    }
}

/// The corners of a simplex around 0, at distance 1: the rows of Helmert's contrasts.
fn simplex(choices: usize) -> Vec<Vec<f64>> {
    let dims = choices.saturating_sub(1);
    let scale = (choices as f64 / dims.max(1) as f64).sqrt();
    let entry = |choice: usize, dim: usize| {
        let norm = scale / ((dim + 1) as f64 * (dim + 2) as f64).sqrt();
        match choice.cmp(&(dim + 1)) {
            std::cmp::Ordering::Less => norm,
            std::cmp::Ordering::Equal => -((dim + 1) as f64) * norm,
            std::cmp::Ordering::Greater => 0.0,
        }
    };
    (0..choices).map(|choice| (0..dims).map(|dim| entry(choice, dim)).collect()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_are_at_distance_one_and_equally_far_from_each_other() {
        for choices in 2..=5 {
            let corners = simplex(choices);
            for (i, a) in corners.iter().enumerate() {
                for (j, b) in corners.iter().enumerate() {
                    let expected = if i == j { 1.0 } else { -1.0 / (choices as f64 - 1.0) };
                    assert!((dot(a, b) - expected).abs() < 1e-12, "{choices}: {i} {j}");
                }
            }
        }
    }

    #[test]
    fn effects_give_the_value_that_the_weights_give() {
        let space = Space::of_archs(2);
        let contrasts = Contrasts::new(&space);
        assert_eq!((contrasts.mains, contrasts.pairs, contrasts.width()), (13, 74, 88));
        let weights: Vec<f64> =
            (0..contrasts.width()).map(|i| ((i * 37 % 23) as f64).sin()).collect();
        let effects = contrasts.effects(&weights);
        for at in (0..space.count()).step_by(97) {
            let point = space.at(at);
            let mut sum = 0.0;
            contrasts.write(&point, |at, feature| sum += feature * weights[at]);
            assert!((effects.value(&point) - sum).abs() < 1e-12);
        }
        let contrasts = Contrasts::new(&Space::of_archs(3));
        assert_eq!((contrasts.mains, contrasts.pairs), (22, 222));
    }
}
