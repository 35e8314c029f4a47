//! This module offers an [`Archive`] as a `candle_nn::VarBuilder`, so that any candle model can load it.

use std::path::Path;

use candle_core::{DType, Device, Error as CandleError, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;

use crate::{Archive, Result};

impl SimpleBackend for Archive {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() == &shape {
            return Ok(tensor);
        }
        let (msg, got) = (format!("tensor {name} of the file"), tensor.shape().clone());
        Err(CandleError::UnexpectedShape { msg, expected: shape, got })
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let tensor = self.require(name).map_err(CandleError::wrap)?;
        // To the device in the file's type, which is often the smaller one.
        tensor.to_device(device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

impl Archive {
    /// This archive as a `VarBuilder` of tensors of type `dtype` on `device`. `vb.pp("gen_state_dict")` enters a
    /// dictionary of a checkpoint that holds several. Names are found with and without the prefixes of PyTorch's wrappers
    /// (see [`Archive::unwrapped`]).
    #[must_use]
    pub fn into_var_builder(mut self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        for (name, tensor) in self.unwrapped().iter() {
            if self.get(name).is_none() {
                self.insert(name, tensor.clone());
            }
        }
        VarBuilder::from_backend(Box::new(self), dtype, device.clone())
    }
}

/// The tensors of a safetensors or `.pth` file as a `VarBuilder`. Nothing in the file is executed.
///
/// # Errors
/// As [`Archive::read_any`].
pub fn var_builder(
    path: impl AsRef<Path>,
    dtype: DType,
    device: &Device,
) -> Result<VarBuilder<'static>> {
    Ok(Archive::read_any(path)?.into_var_builder(dtype, device))
}
