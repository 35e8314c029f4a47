//! [`gradients`] differentiates our operators in reverse mode, without candle's bookkeeping.

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, TensorId};

use crate::add::add;
use crate::tape::Recording;

/// Gradients by variable.
#[derive(Debug, Default)]
pub struct Gradients(HashMap<TensorId, Tensor>);

impl Gradients {
    /// The gradients of the sum of both values.
    ///
    /// # Errors
    /// When a variable's gradients differ in element type.
    pub fn plus(mut self, other: Self) -> Result<Self> {
        for (id, gradient) in other.0 {
            let sum = match self.0.remove(&id) {
                Some(own) => add(&own, &gradient)?,
                None => gradient,
            };
            self.0.insert(id, sum);
        }
        Ok(self)
    }
}

/// The conversion for optimisers that are written for candle's own gradients.
impl From<Gradients> for GradStore {
    fn from(gradients: Gradients) -> Self {
        let mut store = Self::default();
        for (id, gradient) in gradients.0 {
            store.insert_id(id, gradient);
        }
        store
    }
}

/// A collection in which an optimizer finds the gradients of its parameters.
pub trait GradientOf {
    /// The gradient of a variable; `None` where the loss does not depend on it.
    fn gradient_of(&self, variable: &Tensor) -> Option<&Tensor>;
}

impl GradientOf for Gradients {
    fn gradient_of(&self, variable: &Tensor) -> Option<&Tensor> {
        self.0.get(&variable.id())
    }
}

impl GradientOf for GradStore {
    fn gradient_of(&self, variable: &Tensor) -> Option<&Tensor> {
        self.get(variable)
    }
}

/// The value of `f`, one number, and its gradient for every variable that it depends on.
///
/// `f` computes with operators of this crate. An operator of candle on a variable, or on what an operator of this crate
/// made in `f`, is an error as soon as its result is given to an operator of this crate or is the value of `f`.
/// candle's `detach` makes a constant of a tensor. What candle computes without a gradient anyhow (`apply_op1_no_bwd`)
/// counts as constant. The value that is returned is a constant.
///
/// # Errors
/// Those of `f`; when its value is not one number or was not made by an operator of this crate; when calls are nested.
pub fn gradients<E: From<candle_core::Error>>(
    f: impl FnOnce() -> std::result::Result<Tensor, E>,
) -> std::result::Result<(Tensor, Gradients), E> {
    let recording = Recording::start()?;
    let value = f()?;
    let gradients = recording.walk(&value, add)?;
    Ok((value.detach(), Gradients(gradients)))
}
