//! [`update_running`] moves the running statistics of batch norm.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, WithDType, bail};

use super::gpu;
use crate::cuda;
use crate::host::{check_doubles, elements, slice};
use crate::real::dispatch;

const OP: &str = "update_running";

/// Moves running mean and variance `[C]` in place towards those of a batch of `count` values a channel:
/// `r += momentum · (new − r)`, worked out in f64 and rounded once to what `r` is kept in.
///
/// `mean` and `var` are those of [`BatchNormOutput`](crate::BatchNormOutput), f64 `[C]`; of the variance it is the
/// unbiased one, `var · count / (count − 1)`, that enters.
///
/// # Errors
/// When there are fewer than two values, or the shapes or element types do not fit each other.
pub fn update_running(
    (running_mean, running_var): (&Tensor, &Tensor),
    (mean, var): (&Tensor, &Tensor),
    count: usize,
    momentum: f64,
) -> Result<()> {
    if count < 2 {
        bail!("{OP}: a variance takes at least 2 values a channel, found {count}");
    }
    let channels = running_mean.elem_count();
    for running in [running_mean, running_var] {
        if running.dims() != [channels] {
            bail!("{OP}: expected running statistics [{channels}], found {:?}", running.dims());
        }
    }
    check_doubles(OP, "means", mean, channels)?;
    check_doubles(OP, "variances", var, channels)?;
    let (mean, var) = (mean.contiguous()?, var.contiguous()?);
    let correction = count as f64 / (count - 1) as f64;
    if cuda::taken(running_mean) {
        let numbers = (momentum, correction);
        return gpu::update_running(OP, (running_mean, running_var), (&mean, &var), numbers);
    }
    running_mean.inplace_op2(&mean, &Towards { momentum, factor: 1.0 })?;
    running_var.inplace_op2(&var, &Towards { momentum, factor: correction })
}

/// `r += momentum · (factor · new − r)`.
struct Towards {
    momentum: f64,
    factor: f64,
}

impl InplaceOp2 for Towards {
    fn name(&self) -> &'static str {
        OP
    }

    fn cpu_fwd(
        &self,
        r: &mut CpuStorage,
        lr: &Layout,
        new: &CpuStorage,
        ln: &Layout,
    ) -> Result<()> {
        dispatch!(OP, r.dtype(), T => {
            let new = slice::<f64>(OP, new, ln)?;
            let running: &mut [T] = elements(r, lr)?;
            for (r, new) in running.iter_mut().zip(new) {
                let old = r.to_f64();
                *r = T::from_f64(old + self.momentum * (new * self.factor - old));
            }
            Ok(())
        })
    }
}
