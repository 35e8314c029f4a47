//! The sum of two tensors of one shape, in parallel (shortcuts and skips).

use candle_core::{Result, Shape, Tensor, bail};

use crate::cuda::{Floats, Gpu, int, over_elements};
use crate::host::zip;
use crate::operator::{Given, Gradients, Keep, Operator, apply};
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
    apply([a, b], Add(a.shape().clone()))
}

struct Add(Shape);

impl Operator<2> for Add {
    const NAME: &'static str = "add";
    const KEEP: Keep = Keep::NOTHING;
    const PASSED: [bool; 2] = [true; 2];

    fn shape(&self) -> Shape {
        self.0.clone()
    }

    fn forward<T: Real>(&self, [a, b]: [&[T]; 2]) -> Result<Vec<T>> {
        Ok(zip(
            a,
            b,
            #[inline(always)]
            |a, b| a + b,
        ))
    }

    fn backward<T: Real>(&self, _: Given<&[T], 2>) -> Gradients<T, 2> {
        Ok([None, None])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [a, b]: [Floats; 2], sum: Floats) -> Result<()> {
        let count = self.0.elem_count();
        over_elements(gpu, "add_forward", count, &[a.read(), b.read(), sum.write(), int(count)?])
    }

    fn launch_backward(&self, _: &dyn Gpu, _: Given<Floats, 2>, _: [Floats; 2]) -> Result<()> {
        Ok(())
    }
}
