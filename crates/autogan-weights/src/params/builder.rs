//! [`ParamsBuilder`]: collects the tensors of a network while its layers are built.

use candle_core::{DType, Device, Shape, Var};
use indexmap::IndexMap;

use super::{Entry, Params, Role};
use crate::{Error, Init, Result};

/// Makes the tensors of a network, one call for each, and gathers them in a [`Params`].
///
/// All of them are zero until [`Params::reset`] draws them or a `load` sets them, so that initial values do not depend
/// on when a layer is built.
#[derive(Debug)]
pub struct ParamsBuilder(Params);

impl ParamsBuilder {
    /// A builder of tensors of one element type on one device.
    ///
    /// # Errors
    /// [`Error::ParameterType`] when `dtype` is neither F32 nor F64.
    pub fn new(dtype: DType, device: &Device) -> Result<Self> {
        if !matches!(dtype, DType::F32 | DType::F64) {
            return Err(Error::ParameterType { found: format!("{dtype:?}") });
        }
        Ok(Self(Params { entries: IndexMap::new(), dtype, device: device.clone() }))
    }

    /// A variable that an optimiser steps.
    ///
    /// # Errors
    /// [`Error::NameTaken`], or when the device fails.
    pub fn param(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Var> {
        self.add(name, shape, self.0.dtype, init, Role::Trainable)
    }

    /// A buffer: a tensor that no optimiser steps.
    ///
    /// # Errors
    /// As [`ParamsBuilder::param`].
    pub fn buffer(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Var> {
        self.add(name, shape, self.0.dtype, init, Role::Buffer)
    }

    /// A buffer in F64, whatever the element type of the variables is.
    ///
    /// # Errors
    /// As [`ParamsBuilder::param`].
    pub fn buffer_f64(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Var> {
        self.add(name, shape, DType::F64, init, Role::Buffer)
    }

    /// A counter: one number, I64, from zero. It is a buffer that a file may lack.
    ///
    /// # Errors
    /// As [`ParamsBuilder::param`].
    pub fn counter(&mut self, name: &str) -> Result<Var> {
        self.add(name, (), DType::I64, Init::Zeros, Role::Counter)
    }

    fn add(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        dtype: DType,
        init: Init,
        role: Role,
    ) -> Result<Var> {
        if self.0.entries.contains_key(name) {
            return Err(Error::NameTaken { name: name.to_owned() });
        }
        let var = Var::zeros(shape, dtype, &self.0.device).map_err(|e| Error::tensor(name, e))?;
        self.0.entries.insert(name.to_owned(), Entry { var: var.clone(), init, role });
        Ok(var)
    }

    /// The finished store, in the order in which the tensors were added.
    pub fn finish(self) -> Params {
        self.0
    }

    /// The finished store, in the order of the names.
    pub fn finish_by_name(mut self) -> Params {
        self.0.entries.sort_unstable_keys();
        self.0
    }
}
