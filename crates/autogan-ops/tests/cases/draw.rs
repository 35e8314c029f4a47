//! One random case: its sizes and values.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of sizes and values.
pub struct Case {
    pub seed: u64,
    pub rng: ChaCha8Rng,
}

impl Case {
    pub fn new(seed: u64) -> Self {
        Self { seed, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// A size in `1..=most`, often one of its ends.
    pub fn size(&mut self, most: usize) -> usize {
        match self.rng.random_range(0..6) {
            0 => 1,
            1 => most,
            _ => self.rng.random_range(1..=most),
        }
    }

    /// One of the choices.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.random_range(0..of.len())]
    }

    pub fn flag(&mut self) -> bool {
        self.pick(&[false, true])
    }

    /// Values in -1..1.
    pub fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.rng.random_range(-1.0..1.0)).collect()
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.rng.random_range(0..=255)).collect()
    }
}
