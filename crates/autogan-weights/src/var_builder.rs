//! An [`Archive`] as a `candle_nn::VarBuilder`: any candle model loads any file that this crate reads.

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
    /// dictionary of a checkpoint that holds several.
    #[must_use]
    pub fn into_var_builder(self, dtype: DType, device: &Device) -> VarBuilder<'static> {
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

#[cfg(test)]
mod tests {
    use candle_core::Module;

    use super::*;

    #[test]
    fn a_layer_of_candle_takes_its_tensors_from_a_pth_file() {
        let tensor = |values: &[f32], shape: &[usize]| {
            Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
        };
        let mut archive = Archive::new();
        archive.insert("net.l.weight", tensor(&[1.0, 2.0, 3.0, 4.0], &[2, 2]));
        archive.insert("net.l.bias", tensor(&[10.0, 20.0], &[2]));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.pth");
        archive.write_pth(&path).unwrap();

        let vb = var_builder(&path, DType::F64, &Device::Cpu).unwrap().pp("net");
        let layer = candle_nn::linear(2, 2, vb.pp("l")).unwrap();
        let x = Tensor::new(&[[1f64, 1.0]], &Device::Cpu).unwrap();
        assert_eq!(layer.forward(&x).unwrap().to_vec2::<f64>().unwrap(), [[13.0, 27.0]]);

        assert!(!vb.contains_tensor("l"));
        let error = candle_nn::linear(3, 2, vb.pp("l")).unwrap_err().to_string();
        assert!(error.contains("net.l.weight") && error.contains("[2, 3]"), "{error}");
        let error = vb.root().get((2, 2), "l.weight").unwrap_err().to_string();
        assert!(error.contains("did you mean `net.l.weight`"), "{error}");
    }
}
