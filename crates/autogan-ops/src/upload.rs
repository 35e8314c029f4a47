//! [`upload`] copies values of the host to a device; the host does not wait for it.

use candle_core::{Device, Result, Shape, Tensor};

/// A tensor of these values on `device`; nothing waits, neither for the copy nor for what was launched before it.
///
/// # Errors
/// When the shape has another number of elements, or the GPU has no memory left.
pub fn upload(values: Vec<f32>, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    #[cfg(feature = "cuda")]
    if let Device::Cuda(gpu) = device {
        return gpu::upload(&values, shape, gpu);
    }
    Tensor::from_vec(values, shape, device)
}

#[cfg(feature = "cuda")]
mod gpu {
    use candle_core::cuda_backend::cudarc::driver::DevicePtrMut;
    use candle_core::op::BackpropOp;
    use candle_core::{CudaDevice, CudaStorage, Result, Shape, Storage, Tensor, bail};

    use crate::cuda::Pinned;

    pub fn upload(values: &[f32], shape: Shape, device: &CudaDevice) -> Result<Tensor> {
        if values.len() != shape.elem_count() {
            bail!(
                "upload: expected {} values for {shape:?}, found {}",
                shape.elem_count(),
                values.len()
            );
        }
        let stream = device.cuda_stream();
        // SAFETY: the copy writes every value before anything that is launched later reads one; the tensor owns the memory.
        let mut memory = unsafe { device.alloc::<f32>(values.len())? };
        let to = memory.device_ptr_mut(&stream).0;
        Pinned::upload(&stream, values, to)?;
        let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(memory, device.clone()));
        Ok(Tensor::from_storage(storage, shape, BackpropOp::none(), false))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn values_keep_their_order_and_have_to_fit() {
        let t = upload(vec![1.0, 2.0, 3.0, 4.0], (2, 2), &Device::Cpu).unwrap();
        assert_eq!(t.to_vec2::<f32>().unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
        assert!(upload(vec![1.0], (2, 2), &Device::Cpu).is_err());
    }
}
