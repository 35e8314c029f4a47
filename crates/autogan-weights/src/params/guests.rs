//! Variables shared with programs that use `candle-nn`: as a `VarMap`, as a plain list, and filled by a `VarBuilder`.

use std::sync::PoisonError;

use candle_core::{Error as CandleError, Var};
use candle_nn::{VarBuilder, VarMap};

use super::load::{Loading, wrong_shape};
use super::{Params, Role};
use crate::{Error, Result};

impl Params {
    /// The trainable variables, as the constructors of candle's optimisers take them. They share the network's memory: a
    /// step of such an optimiser changes the network.
    pub fn vars(&self) -> Vec<Var> {
        self.trainable().into_iter().map(|(_, var)| var.clone()).collect()
    }

    /// All tensors, buffers included, as a `VarMap` that shares the network's memory.
    ///
    /// An optimiser that is made from it leaves buffers alone, as they have no gradient.
    pub fn var_map(&self) -> VarMap {
        let map = VarMap::new();
        let shared = self.all().into_iter().map(|(name, var)| (name.to_owned(), var.clone()));
        map.data().lock().unwrap_or_else(PoisonError::into_inner).extend(shared);
        map
    }

    /// Sets every tensor from `vb`, which is asked for the name that `rename` makes of ours. The values are copied.
    ///
    /// # Errors
    /// As [`Params::load`], but nothing is unexpected, as a `VarBuilder` does not list what it holds.
    pub fn load_var_builder(
        &self,
        vb: &VarBuilder<'_>,
        rename: impl Fn(&str) -> String,
    ) -> Result<()> {
        let prefix = vb.prefix();
        let full = |name: &str| {
            if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
        };
        let mut loading = Loading::default();
        for (own, entry) in &self.entries {
            let (var, theirs) = (&entry.var, rename(own));
            if !vb.contains_tensor(&theirs) {
                if entry.role != Role::Counter {
                    loading.missing.push(full(&theirs));
                }
                continue;
            }
            let hints = candle_nn::Init::default();
            let found = vb.get_with_hints_dtype(var.shape(), &theirs, hints, var.dtype());
            match found.map_err(without_backtrace) {
                Ok(value) => loading.values.push((own, var, value)),
                Err(CandleError::UnexpectedShape { expected, got, .. }) => {
                    let text = wrong_shape(&full(&theirs), expected.dims(), got.dims());
                    loading.wrong_shape.push(text);
                }
                Err(source) => return Err(Error::tensor(&full(&theirs), source)),
            }
        }
        loading.finish()
    }
}

/// The error itself; candle wraps it where `RUST_BACKTRACE` is set.
fn without_backtrace(error: CandleError) -> CandleError {
    match error {
        CandleError::WithBacktrace { inner, .. } => without_backtrace(*inner),
        error => error,
    }
}
