//! These functions are the hinge losses of section 3.3, pure functions of the discriminator's scores.

use autogan_ops as ops;
use candle_core::Tensor;

use crate::Result;

/// The discriminator's hinge loss: mean relu(1 − D(x)) + mean relu(1 + D(G(z))).
///
/// `real` and `fake` hold scores of any shape, `[N, 1]` from [`crate::Discriminator`]; the two
/// batches may differ in size. The result is a scalar, zero or more.
///
/// # Errors
/// When a tensor operation fails.
pub fn d_hinge(real: &Tensor, fake: &Tensor) -> Result<Tensor> {
    Ok(ops::add(&d_hinge_real(real)?, &d_hinge_fake(fake)?)?)
}

/// The part of [`d_hinge`] that real images have.
///
/// # Errors
/// When a tensor operation fails.
pub fn d_hinge_real(real: &Tensor) -> Result<Tensor> {
    Ok(ops::hinge_mean(real, -1.0)?)
}

/// The part of [`d_hinge`] that fakes have.
///
/// # Errors
/// When a tensor operation fails.
pub fn d_hinge_fake(fake: &Tensor) -> Result<Tensor> {
    Ok(ops::hinge_mean(fake, 1.0)?)
}

/// The generator's loss: −mean D(G(z)), a scalar.
///
/// # Errors
/// When a tensor operation fails.
pub fn g_hinge(fake: &Tensor) -> Result<Tensor> {
    Ok(ops::scaled_mean(fake, -1.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn scores(values: &[f64]) -> Var {
        Var::from_slice(values, (values.len(), 1), &Device::Cpu).unwrap()
    }

    #[test]
    fn hinge_losses_by_hand() {
        // relu(1 - x) = 0, 0.5, 3 and relu(1 + y) = 0, 1.5.
        let (real, fake) = (scores(&[2.0, 0.5, -2.0]), scores(&[-3.0, 0.5]));
        let loss = d_hinge(&real, &fake).unwrap();
        let value = loss.to_scalar::<f64>().unwrap();
        assert!((value - (3.5 / 3.0 + 0.75)).abs() < 1e-12, "{value}");

        let grads = loss.backward().unwrap();
        let gradient =
            |v: &Var| grads.get(v).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(gradient(&real), [0.0, -1.0 / 3.0, -1.0 / 3.0]);
        assert_eq!(gradient(&fake), [0.0, 0.5]);
    }

    #[test]
    fn generator_loss_by_hand() {
        let fake = scores(&[1.0, -4.0]);
        let loss = g_hinge(&fake).unwrap();
        assert_eq!(loss.to_scalar::<f64>().unwrap(), 1.5);
        let grads = loss.backward().unwrap();
        assert_eq!(
            grads.get(&fake).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap(),
            [-0.5; 2]
        );
    }
}
