//! The layers: each holds its variables, none holds a mode; what a forward pass does is its
//! arguments' business.

mod conv;
pub(crate) mod norm;
mod spectral;

pub(crate) use conv::{Conv2d, Deconv, Linear};
pub(crate) use norm::BatchNorm;
pub(crate) use spectral::{SpectralConv, SpectralLinear, SpectralWeight, Vectors};

use candle_core::{Tensor, Var};

/// Whether a forward pass leads gradients to the network's own parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grad {
    /// Parameters receive gradients.
    Tracked,
    /// Parameters are constants; gradients still pass through to a tracked input. Without one,
    /// nothing is kept for a backward pass.
    Frozen,
}

impl Grad {
    /// The variable's value as this pass sees it.
    pub(crate) fn value(self, var: &Var) -> Tensor {
        match self {
            Self::Tracked => var.as_tensor().clone(),
            Self::Frozen => var.as_detached_tensor(),
        }
    }
}
