//! This module computes weights for Inception-v3 by a formula. So its speed can be measured without the trained
//! weights, and other programs can use the same numbers.
//!
//! Element i of the tensor NAME is f(u), u = splitmix64(fnv1a64(NAME) + (i + 1) · γ) >> 40, over 2^24:
//! `scripts/golden_inception.py` spells out f.

use autogan_metrics::inception::tensor_shapes;
use autogan_weights::Archive;
use candle_core::{Device, Tensor};

/// Increment of splitmix64.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// All weights of the network.
pub fn inception() -> anyhow::Result<Archive> {
    tensor_shapes()
        .into_iter()
        .map(|(name, shape)| {
            let tensor = Tensor::from_vec(values(&name, &shape), shape.as_slice(), &Device::Cpu)?;
            Ok((name, tensor))
        })
        .collect()
}

fn values(name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product::<usize>() as u64;
    let fan_in: usize = shape[1..].iter().product();
    let spread = (6.0 / fan_in as f64).sqrt();
    let value = |u: f64| match name {
        n if n.ends_with("conv.weight") => (2.0 * u - 1.0) * spread,
        n if n.ends_with("bn.weight") || n.ends_with("running_var") => 0.75 + 0.5 * u,
        n if n.ends_with("bn.bias") || n.ends_with("running_mean") => 0.2 * (u - 0.5),
        "fc.bias" => 4.0 * (u - 0.5),
        _ => (2.0 * u - 1.0) * 0.5,
    };
    let hash = fnv1a(name);
    (1..=count).map(|i| value(uniform(hash, i)) as f32).collect()
}

/// Number `i` of a stream, in [0, 1), exact in `f32`.
fn uniform(hash: u64, i: u64) -> f64 {
    let mut x = hash.wrapping_add(i.wrapping_mul(GAMMA));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    (x >> 40) as f64 / f64::from(1 << 24)
}

fn fnv1a(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_script() {
        // From `tensor` of scripts/golden_inception.py.
        let conv = values("Conv2d_1a_3x3.conv.weight", &[32, 3, 3, 3]);
        assert_eq!(conv[..3], [-0.151_984_45, 0.121_422_485, -0.304_633_64]);
        assert_eq!(values("fc.bias", &[1008])[1007], -1.950_415_8);
        assert_eq!(values("Mixed_7c.branch1x1.bn.running_var", &[320])[0], 0.856_442_33);
    }
}
