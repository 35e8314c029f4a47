//! [`Streams`] gives random numbers: every draw of a search comes from one seed, by name and position.
//!
//! A stream is made anew for each position (`latents.d` at tick 812), so there is no state to save, a resumed run
//! draws what an uninterrupted one would, and adding a draw in one place moves none elsewhere.

use autogan_ops as ops;
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::error::Result;

/// The source of all random streams of a run.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// All streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream `name` at position `index`.
    pub fn rng(&self, name: &str, index: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        let words = [self.seed, fnv1a(name.as_bytes()), index, name.len() as u64];
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }

    /// `n` standard normal values of the stream `name` at position `index`.
    pub fn normal(&self, name: &str, index: u64, n: usize) -> Vec<f32> {
        let rng = self.rng(name, index);
        StandardNormal.sample_iter(rng).take(n).collect()
    }

    /// Latents `[n, length]`, standard normal, of the stream `name` at position `index`.
    pub(crate) fn latents(
        &self,
        name: &str,
        index: u64,
        (n, length): (usize, usize),
        device: &Device,
    ) -> Result<Tensor> {
        let z = self.normal(name, index, n * length);
        Ok(ops::upload(z, (n, length), device)?)
    }
}

/// The 64-bit FNV-1a hash.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_name_and_position_and_repeat() {
        let draw = |seed, name, index| Streams::new(seed).normal(name, index, 4);
        let first = draw(1, "z", 0);
        assert_eq!(first, draw(1, "z", 0));
        for other in [draw(2, "z", 0), draw(1, "y", 0), draw(1, "z", 1)] {
            assert_ne!(first, other);
        }
        assert_eq!(first, draw(1, "z", 0)[..4]);
        assert_eq!(first[..2], Streams::new(1).normal("z", 0, 2));
    }
}
