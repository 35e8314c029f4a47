//! [`add`] is the sum of two tensors of one shape, in parallel (shortcuts and skips).

use candle_core::{Result, Tensor, bail};

use crate::cuda::{Floats, Gpu, int, over_elements};
use crate::host::zip;
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::{Real, same_dtype};

/// `a + b`, both of one shape.
///
/// # Errors
/// When the shapes or element types differ.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    same_dtype(Add::NAME, &[a, b])?;
    if a.dims() != b.dims() {
        bail!("add: expected two tensors of one shape, found {:?} and {:?}", a.dims(), b.dims());
    }
    apply([a, b], a.dims(), Add(a.elem_count()))
}

/// The operator; it holds the number of elements.
struct Add(usize);

impl Operator<2> for Add {
    const NAME: &'static str = "add";
    const KEEP: Keep = Keep::Nothing;
    const PASSED: [bool; 2] = [true; 2];

    fn forward<T: Real>(&self, [a, b]: [&[T]; 2]) -> Result<Vec<T>> {
        Ok(zip(
            a,
            b,
            #[inline(always)]
            |a, b| a + b,
        ))
    }

    fn backward<T: Real>(&self, _: Basis<&[T], 2>) -> Gradients<T, 2> {
        Ok([None, None])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [a, b]: [Floats; 2], sum: Floats) -> Result<()> {
        let arguments = [a.read(), b.read(), sum.write(), int(self.0)?];
        over_elements(gpu, "add_forward", self.0, &[&arguments])
    }

    fn launch_backward(&self, _: &dyn Gpu, _: Basis<Floats, 2>, _: [Floats; 2]) -> Result<()> {
        Ok(())
    }
}
