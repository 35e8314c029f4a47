//! This module computes latents on the way from one latent to another.
//!
//! The way follows the great circle, and the length changes evenly from that of the first to that of the last: a normal
//! latent's length is nearly always about √n, and the middle of a straight line would be far shorter than any that a
//! generator was trained on (White 2016, *Sampling Generative Networks*, section 2).

use candle_core::{DType, Device, Tensor};

/// Goes from each latent at an even place of `z` `[2·N, L]` to the one after it, in `steps` latents that begin with the
/// one and end with the other: `[N·steps, L]`. It fails when `z` does not have this shape, or there are fewer than two
/// steps.
pub fn between_pairs(z: &Tensor, steps: usize) -> anyhow::Result<Tensor> {
    let rows = z.to_dtype(DType::F32)?.to_vec2::<f32>()?;
    anyhow::ensure!(steps >= 2, "--interpolate: expected 2 images or more, found {steps}");
    anyhow::ensure!(
        rows.len().is_multiple_of(2) && !rows.is_empty(),
        "--interpolate: expected an even number of latents, a beginning and an end for each row, found {}",
        rows.len()
    );
    let length = z.dim(1)?;
    let mut way = Vec::with_capacity(rows.len() / 2 * steps * length);
    for pair in rows.chunks_exact(2) {
        for step in 0..steps {
            way.extend(point(&pair[0], &pair[1], step as f64 / (steps - 1) as f64));
        }
    }
    Ok(Tensor::from_vec(way, (rows.len() / 2 * steps, length), &Device::Cpu)?)
}

/// The latent at `t` from 0 to 1 on the way from `a` to `b`.
fn point<'a>(a: &'a [f32], b: &'a [f32], t: f64) -> impl Iterator<Item = f32> + use<'a> {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    let (long_a, long_b) = (dot(a, a).sqrt(), dot(b, b).sqrt());
    let angle = (dot(a, b) / (long_a * long_b)).clamp(-1.0, 1.0).acos();
    // On one line through the origin there is no circle to follow, nor for a latent without a length.
    let straight = !angle.is_finite() || angle.sin() < 1e-6;
    let length = (1.0 - t) * long_a + t * long_b;
    let (of_a, of_b) = if straight {
        (1.0 - t, t)
    } else {
        let part = |angle_left: f64, own: f64| angle_left.sin() / angle.sin() * length / own;
        (part((1.0 - t) * angle, long_a), part(t * angle, long_b))
    };
    a.iter().zip(b).map(move |(a, b)| (of_a * f64::from(*a) + of_b * f64::from(*b)) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(z: &[[f32; 2]], steps: usize) -> Vec<Vec<f32>> {
        let z = Tensor::from_vec(z.concat(), (z.len(), 2), &Device::Cpu).unwrap();
        between_pairs(&z, steps).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn the_middle_of_a_right_angle_is_at_45_degrees_and_as_long() {
        let rows = way(&[[2.0, 0.0], [0.0, 2.0], [1.0, 0.0], [0.0, 3.0]], 3);
        assert_eq!(rows.len(), 6);
        let half = std::f32::consts::SQRT_2;
        for (row, expected) in rows.iter().zip([[2.0, 0.0], [half, half], [0.0, 2.0]]) {
            assert!((row[0] - expected[0]).abs() < 1e-6 && (row[1] - expected[1]).abs() < 1e-6);
        }
        assert!((rows[4][0] - half).abs() < 1e-6, "the length is halfway, too: {:?}", rows[4]);
    }

    #[test]
    fn what_lies_on_one_line_is_joined_by_it() {
        assert_eq!(way(&[[1.0, 0.0], [-1.0, 0.0]], 3)[1], [0.0, 0.0]);
        assert_eq!(way(&[[0.0, 0.0], [4.0, 0.0]], 3)[1], [2.0, 0.0]);
        let odd = Tensor::new(&[[1.0f32, 0.0]], &Device::Cpu).unwrap();
        assert!(between_pairs(&odd, 3).unwrap_err().to_string().contains("found 1"));
        assert!(between_pairs(&odd, 1).unwrap_err().to_string().contains("2 images or more"));
    }
}
