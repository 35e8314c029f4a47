//! These functions are means over all elements, alone and behind a hinge (the losses of section 3.3).

use candle_core::{Result, Tensor, bail};

use crate::cuda::{Argument, Floats, Gpu, flag, int, over_elements, over_groups};
use crate::host::sum_by;
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::Real;

/// `mean(max(1 + sign · x, 0))` over all elements, a scalar.
///
/// # Errors
/// When `x` is empty or its element type is neither f32 nor f64.
pub fn hinge_mean(x: &Tensor, sign: f64) -> Result<Tensor> {
    mean(x, sign, true)
}

/// `factor · mean(x)` over all elements, a scalar.
///
/// # Errors
/// When `x` is empty or its element type is neither f32 nor f64.
pub fn scaled_mean(x: &Tensor, factor: f64) -> Result<Tensor> {
    mean(x, factor, false)
}

fn mean(x: &Tensor, factor: f64, hinge: bool) -> Result<Tensor> {
    if x.elem_count() == 0 {
        bail!("mean: expected at least one element, found a tensor {:?}", x.dims());
    }
    apply([x], (), Mean { count: x.elem_count(), factor, hinge })
}

struct Mean {
    count: usize,
    factor: f64,
    hinge: bool,
}

impl Operator<1> for Mean {
    const NAME: &'static str = "mean";
    const KEEP: Keep = Keep::Inputs;

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        let sum = if self.hinge {
            // Written so that NaN passes.
            let hinge = |z: f64| if z < 0.0 { 0.0 } else { z };
            sum_by(x, |v| hinge(1.0 + self.factor * v))
        } else {
            self.factor * sum_by(x, |v| v)
        };
        Ok(vec![T::from_f64(sum / x.len() as f64)])
    }

    fn backward<T: Real>(&self, Basis { x: [x], dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        let slope = dy[0].to_f64() * self.factor / x.len() as f64;
        let open = |v: f64| !self.hinge || 1.0 + self.factor * v > 0.0;
        Ok([Some(
            x.iter()
                .map(|v| if open(v.to_f64()) { T::from_f64(slope) } else { T::zero() })
                .collect(),
        )])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        let settings = [int(self.count)?, Argument::Double(self.factor), flag(self.hinge)];
        over_groups(gpu, "mean_forward", 1, &[&[x.read(), y.write()], &settings])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        let settings = [int(self.count)?, Argument::Double(self.factor), flag(self.hinge)];
        let tensors = [at.x[0].read(), at.dy.read(), dx[0].write()];
        over_elements(gpu, "mean_backward", self.count, &[&tensors, &settings])
    }
}
