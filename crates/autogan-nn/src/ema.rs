//! [`Ema`] holds the exponential moving average of a generator; this is evaluated. The paper's code has decay 0.999.

use autogan_ops as ops;
use autogan_weights::{Params, assign};
use candle_core::{DType, Var};

use crate::{EmaBuffers, Generator, NnError, Result};

/// A generator whose tensors are moving averages of another generator's.
#[derive(Debug)]
pub struct Ema {
    average: Generator,
    decay: f64,
    buffers: EmaBuffers,
}

impl Ema {
    /// An average that starts at the present values of `generator`.
    ///
    /// # Errors
    /// When `decay` is not in [0, 1].
    pub fn new(generator: &Generator, decay: f64, buffers: EmaBuffers) -> Result<Self> {
        if !(0.0..=1.0).contains(&decay) {
            let (expected, found) = ("0 to 1".to_owned(), decay.to_string());
            return Err(NnError::Config { field: "decay", expected, found });
        }
        Ok(Self { average: generator.twin()?, decay, buffers })
    }

    /// Moves the average towards the present values: `decay · average + (1 − decay) · value`.
    ///
    /// # Errors
    /// When `generator` is another network than the one that the average began with.
    pub fn update(&self, generator: &Generator) -> Result<()> {
        let (average, source) = (self.average.params(), generator.params());
        self.mix(&average.trainable(), source, self.decay)?;
        let decay = if self.buffers == EmaBuffers::Live { 0.0 } else { self.decay };
        self.mix(&average.buffers(), source, decay)
    }

    /// Takes over the buffers of `generator`, where they are to be live: a D step changes them too. To be called after
    /// each forward pass in training that no [`Self::update`] follows.
    ///
    /// # Errors
    /// When `generator` is another network than the one that the average began with.
    pub fn follow_buffers(&self, generator: &Generator) -> Result<()> {
        match self.buffers {
            EmaBuffers::Averaged => Ok(()),
            EmaBuffers::Live => self.mix(&self.average.params().buffers(), generator.params(), 0.0),
        }
    }

    /// Starts over at the present values, as after a reset of the shared weights.
    ///
    /// # Errors
    /// When `generator` is another network than the one that the average began with.
    pub fn restart(&self, generator: &Generator) -> Result<()> {
        Ok(self.average.params().copy_from(generator.params())?)
    }

    /// The averaged generator.
    pub fn generator(&self) -> &Generator {
        &self.average
    }

    fn mix(&self, average: &[(&str, &Var)], source: &Params, decay: f64) -> Result<()> {
        let mut mixed = Vec::new();
        for (name, var) in average {
            let value = source.require(name)?.as_detached_tensor();
            // Counters are copied, and so is everything at decay zero.
            if decay == 0.0 || value.dtype() == DType::I64 {
                assign(var, &value)?;
            } else {
                mixed.push((var.as_tensor(), value));
            }
        }
        let pairs: Vec<_> = mixed.iter().map(|(average, value)| (*average, value)).collect();
        Ok(ops::ema_update(&pairs, decay)?)
    }
}
