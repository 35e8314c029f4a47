//! What happens to an image before the classifier sees it, drawn per image from its own stream.

use autogan_metrics::compact::{SIDE, resize_bilinear};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{ScorerError, ScorerResult};

const AREA: usize = SIDE * SIDE;

/// Probabilities and sizes of the augmentation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Mirror half of the images.
    pub flip: bool,
    /// Largest shift along each axis, in pixels; the border is repeated.
    pub shift: usize,
    /// Side of a grey square put anywhere into half of the images, 0 for none.
    pub cutout: usize,
    /// Largest relative change of contrast and shift of brightness, 0 for none.
    pub colour: f32,
    /// Share of images made at 16x16 and enlarged.
    pub sixteen: f64,
    /// Share of images made at 8x8 and enlarged.
    pub eight: f64,
    /// Share of images made at 4x4 and enlarged, so that a blurred figure still counts a little.
    pub four: f64,
    /// Share of images with Gaussian noise.
    pub noise: f64,
    /// Share of blurred images.
    pub blur: f64,
    /// Share of images replaced by noise with a uniform target.
    pub junk: f64,
}

impl Augment {
    /// For the embedded dataset, whose images vary by themselves.
    pub fn shapes() -> Self {
        Self {
            flip: false,
            shift: 2,
            cutout: 0,
            colour: 0.0,
            sixteen: 0.12,
            eight: 0.10,
            four: 0.08,
            noise: 0.08,
            blur: 0.08,
            junk: 0.04,
        }
    }

    /// For CIFAR-10.
    pub fn cifar10() -> Self {
        Self {
            flip: true,
            shift: 4,
            cutout: 8,
            colour: 0.1,
            sixteen: 0.08,
            eight: 0.05,
            four: 0.0,
            noise: 0.04,
            blur: 0.04,
            junk: 0.03,
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ScorerError::Config`] naming the setting.
    pub fn check(&self) -> ScorerResult<()> {
        let shares = [self.sixteen, self.eight, self.four, self.noise, self.blur];
        let all_valid = shares.iter().chain([&self.junk]).all(|s| (0.0..1.0).contains(s));
        if !all_valid || shares.iter().sum::<f64>() > 1.0 {
            return Err(ScorerError::Config {
                what: "augment.{sixteen, eight, four, noise, blur, junk}",
                expected: "in [0, 1), the first five at most 1 together",
                found: format!("{shares:?}, {}", self.junk),
            });
        }
        if self.shift >= SIDE || self.cutout > SIDE || !(0.0..1.0).contains(&self.colour) {
            return Err(ScorerError::Config {
                what: "augment.{shift, cutout, colour}",
                expected: "below 32, at most 32, in [0, 1)",
                found: format!("{}, {}, {}", self.shift, self.cutout, self.colour),
            });
        }
        Ok(())
    }

    /// Augments `image`, `u8` `[3, 32, 32]`, into `out`, `f32` `[3, 32, 32]` about `[-1, 1]`.
    /// Returns whether it was replaced by junk, which has no class.
    pub(super) fn apply(&self, image: &[u8], out: &mut [f32], rng: &mut impl Rng) -> bool {
        if rng.random::<f64>() < self.junk {
            junk(out, rng);
            return true;
        }
        self.place(image, out, rng);
        if self.colour > 0.0 {
            let contrast = 1.0 + self.colour * (2.0 * rng.random::<f32>() - 1.0);
            let brightness = self.colour * (2.0 * rng.random::<f32>() - 1.0);
            out.iter_mut().for_each(|v| *v = *v * contrast + brightness);
        }
        self.degrade(out, rng);
        if self.cutout > 0 && rng.random::<bool>() {
            let mut corner = || rng.random_range(0..=SIDE - self.cutout);
            let (top, left) = (corner(), corner());
            for plane in out.chunks_exact_mut(AREA) {
                for row in plane.chunks_exact_mut(SIDE).skip(top).take(self.cutout) {
                    row[left..left + self.cutout].fill(0.0);
                }
            }
        }
        false
    }

    /// Mirrors, shifts and normalises.
    fn place(&self, image: &[u8], out: &mut [f32], rng: &mut impl Rng) {
        let flip = self.flip && rng.random::<bool>();
        let mut shift = || rng.random_range(0..=2 * self.shift) as isize - self.shift as isize;
        let (dy, dx) = (shift(), shift());
        let clamp = |v: isize| v.clamp(0, SIDE as isize - 1) as usize;
        let columns: [usize; SIDE] = std::array::from_fn(|x| {
            let x = if flip { SIDE - 1 - x } else { x };
            clamp(x as isize + dx)
        });
        for (plane, source) in out.chunks_exact_mut(AREA).zip(image.chunks_exact(AREA)) {
            for (y, row) in plane.chunks_exact_mut(SIDE).enumerate() {
                let source = &source[clamp(y as isize + dy) * SIDE..];
                for (value, &x) in row.iter_mut().zip(&columns) {
                    *value = (f32::from(source[x]) - 127.5) / 127.5;
                }
            }
        }
    }

    /// At most one of: low resolution, noise, blur.
    fn degrade(&self, image: &mut [f32], rng: &mut impl Rng) {
        let mut draw = rng.random::<f64>();
        let mut below = |share: f64| {
            let hit = (0.0..share).contains(&draw);
            draw -= share;
            hit
        };
        if below(self.sixteen) {
            lower_resolution(image, 2);
        } else if below(self.eight) {
            lower_resolution(image, 4);
        } else if below(self.four) {
            lower_resolution(image, 8);
        } else if below(self.noise) {
            let sigma = 0.3 * rng.random::<f32>();
            image.iter_mut().for_each(|v| *v += sigma * gaussian(rng));
        } else if below(self.blur) {
            for _ in 0..rng.random_range(1..=3) {
                blur(image);
            }
        }
    }
}

/// Averages squares of `factor` pixels and enlarges the result as the extractor does.
pub(super) fn lower_resolution(image: &mut [f32], factor: usize) {
    let side = SIDE / factor;
    let mut small = vec![0f32; 3 * side * side];
    let scale = 1.0 / (factor * factor) as f32;
    for (index, &value) in image.iter().enumerate() {
        let (c, y, x) = (index / AREA, index / SIDE % SIDE, index % SIDE);
        small[(c * side + y / factor) * side + x / factor] += value * scale;
    }
    resize_bilinear(&small, (side, side), image, (SIDE, SIDE));
}

/// One pass of the binomial filter 1, 2, 1 along both axes, the border repeated.
fn blur(image: &mut [f32]) {
    let source = image.to_vec();
    let near = |v: usize| [v.saturating_sub(1), v, (v + 1).min(SIDE - 1)];
    let weights = [0.25, 0.5, 0.25];
    for (index, value) in image.iter_mut().enumerate() {
        let (c, y, x) = (index / AREA, index / SIDE % SIDE, index % SIDE);
        *value = 0.0;
        for (wy, yy) in weights.iter().zip(near(y)) {
            for (wx, xx) in weights.iter().zip(near(x)) {
                *value += wy * wx * source[c * AREA + yy * SIDE + xx];
            }
        }
    }
}

/// Noise at a random scale (1, 2 or 4 pixels, or one flat colour), as an untrained generator
/// gives it.
fn junk(out: &mut [f32], rng: &mut impl Rng) {
    let grain = [1, 2, 4, SIDE][rng.random_range(0..4)];
    let side = SIDE / grain;
    let strength = 0.2 + 0.8 * rng.random::<f32>();
    let mean: [f32; 3] = std::array::from_fn(|_| 1.2 * rng.random::<f32>() - 0.6);
    let small: Vec<f32> = (0..3 * side * side)
        .map(|i| (mean[i / (side * side)] + strength * gaussian(rng)).clamp(-1.0, 1.0))
        .collect();
    resize_bilinear(&small, (side, side), out, (SIDE, SIDE));
}

/// A standard normal number.
fn gaussian(rng: &mut impl Rng) -> f32 {
    rng.sample(rand_distr::StandardNormal)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const LEN: usize = 3 * AREA;

    fn plain() -> Augment {
        Augment {
            flip: false,
            shift: 0,
            cutout: 0,
            colour: 0.0,
            sixteen: 0.0,
            eight: 0.0,
            four: 0.0,
            noise: 0.0,
            blur: 0.0,
            junk: 0.0,
        }
    }

    #[test]
    fn without_augmentation_only_normalises() {
        let image: Vec<u8> = (0..LEN).map(|i| (i % 256) as u8).collect();
        let mut out = vec![0f32; LEN];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert!(!plain().apply(&image, &mut out, &mut rng));
        for (&o, &b) in out.iter().zip(&image) {
            assert_eq!(o, (f32::from(b) - 127.5) / 127.5);
        }
    }

    #[test]
    fn a_constant_image_stays_constant_under_place_blur_and_resolution() {
        let augment =
            Augment { flip: true, shift: 4, sixteen: 0.3, eight: 0.3, blur: 0.4, ..plain() };
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut out = vec![0f32; LEN];
        for _ in 0..20 {
            augment.apply(&[200; LEN], &mut out, &mut rng);
            assert!(out.iter().all(|v| (v - 72.5 / 127.5).abs() < 1e-5));
        }
    }

    #[test]
    fn shares_are_kept_and_checked() {
        let augment = Augment { junk: 0.25, ..plain() };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut out = vec![0f32; LEN];
        let hits = (0..1000).filter(|_| augment.apply(&[0; LEN], &mut out, &mut rng));
        let hits = hits.count();
        assert!((200..300).contains(&hits), "{hits}");
        let wrong = Augment { noise: 0.6, blur: 0.6, ..plain() };
        assert!(wrong.check().unwrap_err().to_string().contains("0.6"));
        augment.check().unwrap();
    }

    #[test]
    fn low_resolution_has_the_same_mean_colour() {
        let mut image: Vec<f32> = (0..LEN).map(|i| (i % SIDE) as f32 / 31.0).collect();
        lower_resolution(&mut image, 4);
        let mean = image.iter().sum::<f32>() / LEN as f32;
        assert!((mean - 0.5).abs() < 1e-3, "{mean}");
        // The first columns are the average of 0..4 of 31.
        assert!((image[0] - 1.5 / 31.0).abs() < 1e-5);
    }
}
