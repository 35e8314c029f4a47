//! A [`Chain`] draws deviations at all fidelities that belong together: those of one training, or of one point.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Normal deviations, correlated from each fidelity to the next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chain {
    /// The standard deviation at each fidelity.
    sd: Vec<f64>,
    /// The correlation of each fidelity but the last with the next one.
    carry: Vec<f64>,
}

impl Chain {
    /// Deviations of these sizes; `carry` is one shorter than `sd`.
    pub fn new(sd: Vec<f64>, carry: Vec<f64>) -> Self {
        debug_assert_eq!(sd.len(), carry.len() + 1);
        Self { sd, carry }
    }

    /// The size at the last fidelity.
    pub fn last(&self) -> f64 {
        self.sd.last().copied().unwrap_or(0.0)
    }

    /// The deviation at one fidelity. It begins with the last, so that a later fidelity takes fewer draws.
    pub fn draw(&self, fidelity: usize, rng: &mut impl Rng) -> f64 {
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        let mut at = normal();
        for &carry in self.carry.iter().skip(fidelity).rev() {
            at = carry * at + (1.0 - carry * carry).max(0.0).sqrt() * normal();
        }
        self.sd.get(fidelity).map_or(0.0, |sd| sd * at)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn deviations_have_their_sizes_and_correlations() {
        let chain = Chain::new(vec![3.0, 2.0, 1.0], vec![0.5, 0.8]);
        let of = |seed: u64, fidelity| chain.draw(fidelity, &mut ChaCha8Rng::seed_from_u64(seed));
        let n = 20_000;
        let product = |a: usize, b: usize| {
            (0..n).map(|seed| of(seed, a) * of(seed, b)).sum::<f64>() / n as f64
        };
        // Variances 9, 4, 1; correlations 0.5, 0.8 and, over two steps, 0.4.
        for (a, b, expected) in
            [(0, 0, 9.0), (1, 1, 4.0), (2, 2, 1.0), (0, 1, 3.0), (1, 2, 1.6), (0, 2, 1.2)]
        {
            let found = product(a, b);
            assert!((found - expected).abs() < 0.03 * expected + 0.06, "{a} {b}: {found}");
        }
    }
}
