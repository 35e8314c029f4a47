//! [`augment`] changes an image before the classifier sees it; the changes are drawn per image from its own stream.

use autogan_config::AugmentConfig;
use autogan_metrics::compact::SIDE;
use autogan_metrics::inception::resize::bilinear;
use autogan_ops::ResizeRule;
use rand::{Rng, RngExt};

const AREA: usize = SIDE * SIDE;

/// Augments `image`, `u8` `[3, 32, 32]`, into `out`, `f32` `[3, 32, 32]` about `[-1, 1]`.
/// Returns whether it was replaced by junk, which has no class.
pub(super) fn augment(
    config: &AugmentConfig,
    image: &[u8],
    out: &mut [f32],
    rng: &mut impl Rng,
) -> bool {
    if rng.random::<f64>() < config.junk {
        junk(out, rng);
        return true;
    }
    place(config, image, out, rng);
    if config.colour > 0.0 {
        let contrast = 1.0 + config.colour * (2.0 * rng.random::<f32>() - 1.0);
        let brightness = config.colour * (2.0 * rng.random::<f32>() - 1.0);
        out.iter_mut().for_each(|v| *v = *v * contrast + brightness);
    }
    degrade(config, out, rng);
    if config.cutout > 0 && rng.random::<bool>() {
        let mut corner = || rng.random_range(0..=SIDE - config.cutout);
        let (top, left) = (corner(), corner());
        for plane in out.chunks_exact_mut(AREA) {
            for row in plane.chunks_exact_mut(SIDE).skip(top).take(config.cutout) {
                row[left..left + config.cutout].fill(0.0);
            }
        }
    }
    false
}

/// Mirrors, shifts and normalises.
fn place(config: &AugmentConfig, image: &[u8], out: &mut [f32], rng: &mut impl Rng) {
    let flip = config.flip && rng.random::<bool>();
    let mut shift = || rng.random_range(0..=2 * config.shift) as isize - config.shift as isize;
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

/// Does at most one of these: low resolution, noise, blur.
fn degrade(config: &AugmentConfig, image: &mut [f32], rng: &mut impl Rng) {
    let mut draw = rng.random::<f64>();
    let mut below = |share: f64| {
        let hit = (0.0..share).contains(&draw);
        draw -= share;
        hit
    };
    if below(config.sixteen) {
        lower_resolution(image, 2);
    } else if below(config.eight) {
        lower_resolution(image, 4);
    } else if below(config.four) {
        lower_resolution(image, 8);
    } else if below(config.noise) {
        let sigma = 0.3 * rng.random::<f32>();
        image.iter_mut().for_each(|v| *v += sigma * gaussian(rng));
    } else if below(config.blur) {
        for _ in 0..rng.random_range(1..=3) {
            blur(image);
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
    bilinear(&small, (side, side), image, (SIDE, SIDE), ResizeRule::HalfPixel);
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

/// Noise at a random scale (1, 2 or 4 pixels, or one flat colour), as an untrained generator gives it.
fn junk(out: &mut [f32], rng: &mut impl Rng) {
    let grain = [1, 2, 4, SIDE][rng.random_range(0..4)];
    let side = SIDE / grain;
    let strength = 0.2 + 0.8 * rng.random::<f32>();
    let mean: [f32; 3] = std::array::from_fn(|_| 1.2 * rng.random::<f32>() - 0.6);
    let small: Vec<f32> = (0..3 * side * side)
        .map(|i| (mean[i / (side * side)] + strength * gaussian(rng)).clamp(-1.0, 1.0))
        .collect();
    bilinear(&small, (side, side), out, (SIDE, SIDE), ResizeRule::HalfPixel);
}

/// A standard normal number.
fn gaussian(rng: &mut impl Rng) -> f32 {
    rng.sample(rand_distr::StandardNormal)
}

#[cfg(test)]
mod tests {
    use autogan_config::{Configuration, ScorerConfig};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const LEN: usize = 3 * AREA;

    fn plain() -> AugmentConfig {
        AugmentConfig {
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
        assert!(!augment(&plain(), &image, &mut out, &mut rng));
        for (&o, &b) in out.iter().zip(&image) {
            assert_eq!(o, (f32::from(b) - 127.5) / 127.5);
        }
    }

    #[test]
    fn a_constant_image_stays_constant_under_place_blur_and_resolution() {
        let config =
            AugmentConfig { flip: true, shift: 4, sixteen: 0.3, eight: 0.3, blur: 0.4, ..plain() };
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut out = vec![0f32; LEN];
        for _ in 0..20 {
            augment(&config, &[200; LEN], &mut out, &mut rng);
            assert!(out.iter().all(|v| (v - 72.5 / 127.5).abs() < 1e-5));
        }
    }

    #[test]
    fn shares_are_kept_and_checked() {
        let config = AugmentConfig { junk: 0.25, ..plain() };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut out = vec![0f32; LEN];
        let hits = (0..1000).filter(|_| augment(&config, &[0; LEN], &mut out, &mut rng));
        let hits = hits.count();
        assert!((200..300).contains(&hits), "{hits}");
        let wrong = AugmentConfig { noise: 0.6, blur: 0.6, ..plain() };
        let scorer = ScorerConfig::preset("compact-shapes", &[]).unwrap();
        let checked = |augment| ScorerConfig { augment, ..scorer.clone() }.checked();
        assert!(checked(wrong).unwrap_err().to_string().contains("1.2"));
        checked(config).unwrap();
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
