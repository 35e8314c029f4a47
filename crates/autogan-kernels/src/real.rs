//! [`Real`] is the trait of the two element types that kernels are written for.

use num_traits::NumAssign;

/// The element type `f32` or `f64`. Every kernel is generic over it that is not written for `f32` alone.
///
/// `f32` is what networks train in; `f64` is what gradients are checked in.
pub trait Real:
    NumAssign + PartialOrd + Copy + Send + Sync + 'static + std::ops::Neg<Output = Self>
{
    /// The value that is nearest to `value`.
    fn narrow(value: f64) -> Self;
    /// The value as `f64`, which holds it exactly.
    fn wide(self) -> f64;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
}

macro_rules! real {
    ($t:ty) => {
        impl Real for $t {
            #[inline(always)]
            fn narrow(value: f64) -> Self {
                value as $t
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                self.tanh()
            }
        }
    };
}
real!(f32);
real!(f64);
