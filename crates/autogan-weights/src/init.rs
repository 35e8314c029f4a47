//! [`Init`] gives initial values: Xavier-uniform convolutions, batch norm around one, and PyTorch's defaults for the
//! rest.
//!
//! The values follow the released code's `weights_init` (gain 1) on top of `torch.nn`'s own initialisers.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// The rule by which a tensor gets its initial values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All zeros.
    Zeros,
    /// All ones.
    Ones,
    /// Uniform within ±√(6 / (fan_in + fan_out)): Glorot and Bengio's initialiser with gain 1.
    XavierUniform {
        /// Input channels times kernel area.
        fan_in: usize,
        /// Output channels times kernel area.
        fan_out: usize,
    },
    /// Uniform within ±1/√fan_in: PyTorch's default for weights (`kaiming_uniform` with a = √5) and
    /// biases.
    Uniform {
        /// The number of inputs of one output, as PyTorch counts it.
        fan_in: usize,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// Normal, scaled to length 1: where spectral norm's vectors start.
    UnitVector,
}

impl Init {
    /// `len` values, drawn in order from `rng` in f64; the constants draw nothing.
    pub fn draw(self, len: usize, rng: &mut (impl Rng + ?Sized)) -> Vec<f64> {
        match self {
            Self::Zeros => vec![0.0; len],
            Self::Ones => vec![1.0; len],
            Self::XavierUniform { fan_in, fan_out } => {
                uniform(len, (6.0 / (fan_in + fan_out) as f64).sqrt(), rng)
            }
            Self::Uniform { fan_in } => uniform(len, 1.0 / (fan_in as f64).sqrt(), rng),
            Self::Normal { mean, std } => {
                normal(len, rng).into_iter().map(|x| mean + std * x).collect()
            }
            Self::UnitVector => {
                let values = normal(len, rng);
                let length = values.iter().map(|x| x * x).sum::<f64>().sqrt();
                // torch.nn.functional.normalize divides by no less than this.
                values.into_iter().map(|x| x / length.max(1e-12)).collect()
            }
        }
    }
}

fn uniform(len: usize, bound: f64, rng: &mut (impl Rng + ?Sized)) -> Vec<f64> {
    (0..len).map(|_| (2.0 * rng.random::<f64>() - 1.0) * bound).collect()
}

fn normal(len: usize, rng: &mut (impl Rng + ?Sized)) -> Vec<f64> {
    (0..len).map(|_| StandardNormal.sample(rng)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn moments(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn uniform_values_fill_their_bounds() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (init, bound) in [
            (Init::XavierUniform { fan_in: 144, fan_out: 27 }, (6.0_f64 / 171.0).sqrt()),
            (Init::Uniform { fan_in: 64 }, 0.125),
        ] {
            let values = init.draw(20_000, &mut rng);
            let largest = values.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
            assert!(largest <= bound && largest > 0.999 * bound);
            let (mean, std) = moments(&values);
            assert!(mean.abs() < 0.03 * bound);
            assert!((std / (bound / 3.0_f64.sqrt()) - 1.0).abs() < 0.02);
        }
    }

    #[test]
    fn normal_values_have_their_moments() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let (mean, std) = moments(&Init::Normal { mean: 1.0, std: 0.02 }.draw(20_000, &mut rng));
        assert!((mean - 1.0).abs() < 1e-3 && (std - 0.02).abs() < 1e-3);
    }

    #[test]
    fn unit_vectors_have_length_one_and_draws_repeat() {
        let draw = || Init::UnitVector.draw(7, &mut ChaCha8Rng::seed_from_u64(3));
        assert!((draw().iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(draw(), draw());
    }
}
