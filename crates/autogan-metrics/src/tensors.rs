//! [`NetworkTensors`] reads the tensors of a network in `f64`, and rounds them once, when all is computed that depends on
//! weights alone.

use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

use crate::{Error, Result};

/// The tensors of one network.
pub(crate) struct NetworkTensors<'a> {
    pub archive: &'a Archive,
    /// What the network is called in errors.
    pub network: &'a str,
    pub device: &'a Device,
}

impl NetworkTensors<'_> {
    /// A tensor in `f64` on the CPU, of the shape that the network needs.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = self.archive.require(name)?;
        if tensor.dims() == shape {
            return Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?);
        }
        let what = format!("tensor {name} of {}", self.network);
        Err(Error::shape(what, format!("{shape:?}"), format!("{:?}", tensor.dims())))
    }

    /// Rounds a tensor to `f32` and brings it to the device of the network.
    pub fn stored(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.to_dtype(DType::F32)?.to_device(self.device)?)
    }

    /// Weight and bias of the convolution `conv` without a bias and the batch norm `norm` behind it:
    /// `w' = w · γ / √(σ² + ε)`, `b' = β − μ · γ / √(σ² + ε)`.
    pub fn folded(
        &self,
        (conv, norm): (&str, &str),
        shape: [usize; 4],
        epsilon: f64,
    ) -> Result<(Tensor, Tensor)> {
        let weight = self.read(&format!("{conv}.weight"), &shape)?;
        let part = |part: &str| self.read(&format!("{norm}.{part}"), &shape[..1]);
        let scale = (part("weight")? / (part("running_var")? + epsilon)?.sqrt()?)?;
        let bias = (part("bias")? - (part("running_mean")? * &scale)?)?;
        let weight = weight.broadcast_mul(&scale.reshape((shape[0], 1, 1, 1))?)?;
        Ok((self.stored(&weight)?, self.stored(&bias)?))
    }
}
