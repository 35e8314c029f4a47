//! [`TorchGenerator`] draws what PyTorch's generator for the CPU draws: MT19937 with the rules of `torch.randn` and
//! `torch.randperm`, so that projections and subsets are those of the Python scorers.
//!
//! Source: the documented behaviour of `torch.Generator(device="cpu")`. The 32-bit words are those of NumPy's legacy
//! generator with the same seed. Floats have 24 bits; normals follow Box and Muller (1958), in groups of 16.

use std::f64::consts::TAU;

use crate::numpy_rng::RandomState;

/// The number of normals that are made of as many uniform numbers at a time.
const GROUP: usize = 16;

/// The generator behind `torch.Generator(device="cpu").manual_seed(seed)`.
#[derive(Debug, Clone)]
pub struct TorchGenerator {
    words: RandomState,
    /// The second normal of a pair that was made one by one.
    spare: Option<f64>,
}

impl TorchGenerator {
    /// The generator in the state after `manual_seed(seed)`, of which PyTorch takes the lower 32 bits.
    pub fn new(seed: u64) -> Self {
        Self { words: RandomState::new(seed as u32), spare: None }
    }

    /// A float in [0, 1) of 24 bits.
    fn uniform_f32(&mut self) -> f64 {
        f64::from(self.words.next_u32() & 0x00ff_ffff) / f64::from(1 << 24)
    }

    /// A double in [0, 1) of 53 bits.
    fn uniform_f64(&mut self) -> f64 {
        let high = u64::from(self.words.next_u32());
        let word = (high << 32) | u64::from(self.words.next_u32());
        (word & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
    }

    /// Draws what `torch.randn(count)` draws as `float32`. The functions `log`, `sin` and `cos` are exact here, so
    /// that values differ from PyTorch's, which approximates them, in the last bits.
    pub fn randn(&mut self, count: usize) -> Vec<f32> {
        if count < GROUP {
            return (0..count).map(|_| self.normal() as f32).collect();
        }
        let mut values: Vec<f64> = (0..count).map(|_| self.uniform_f32()).collect();
        values.chunks_exact_mut(GROUP).for_each(box_muller);
        if !count.is_multiple_of(GROUP) {
            // The last group is drawn anew, over part of the one before.
            let last = &mut values[count - GROUP..];
            last.iter_mut().for_each(|v| *v = self.uniform_f32());
            box_muller(last);
        }
        values.into_iter().map(|v| v as f32).collect()
    }

    /// One normal; they are made in pairs.
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (angle, radius) = (TAU * self.uniform_f64(), self.uniform_f64());
        let radius = (-2.0 * (-radius).ln_1p()).sqrt();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// Draws what `torch.randperm(n)` draws.
    pub fn randperm(&mut self, n: usize) -> Vec<usize> {
        let mut items: Vec<usize> = (0..n).collect();
        for i in 0..n.saturating_sub(1) {
            let step = u64::from(self.words.next_u32()) % (n - i) as u64;
            items.swap(i, i + step as usize);
        }
        items
    }
}

/// Turns 16 uniform numbers into normals: the first eight are radii, the others angles.
fn box_muller(group: &mut [f64]) {
    let (radii, angles) = group.split_at_mut(GROUP / 2);
    for (a, b) in radii.iter_mut().zip(angles) {
        let radius = (-2.0 * (1.0 - *a).ln()).sqrt();
        let angle = TAU * *b;
        (*a, *b) = (radius * angle.cos(), radius * angle.sin());
    }
}
