//! A [`Readback`] asks a device for numbers now and waits for them later, so that the host goes on meanwhile.

use candle_core::{DType, Result, Tensor, bail};

/// Numbers that were asked for.
pub struct Readback(Values);

enum Values {
    Here(Vec<f64>),
    #[cfg(feature = "cuda")]
    Coming(gpu::Download),
}

impl Readback {
    /// Asks for tensors of one number each, f32 or f64, all of one device; waits for nothing on a GPU.
    ///
    /// # Errors
    /// When a tensor holds more than one number, or there are none.
    pub fn begin(numbers: &[&Tensor]) -> Result<Self> {
        if numbers.is_empty() {
            bail!("readback: expected at least one tensor, found none");
        }
        let flat = numbers.iter().map(|t| t.reshape(1)?.detach().to_dtype(DType::F64));
        let all = Tensor::cat(&flat.collect::<Result<Vec<_>>>()?, 0)?;
        #[cfg(feature = "cuda")]
        if all.device().is_cuda() {
            return Ok(Self(Values::Coming(gpu::Download::begin(&all)?)));
        }
        Ok(Self(Values::Here(all.to_vec1()?)))
    }

    /// The numbers in their order; waits until the device has worked them out, but not for what was launched after
    /// [`Readback::begin`].
    ///
    /// # Errors
    /// When what was launched before has failed.
    pub fn wait(&self) -> Result<Vec<f64>> {
        match &self.0 {
            Values::Here(values) => Ok(values.clone()),
            #[cfg(feature = "cuda")]
            Values::Coming(coming) => coming.wait(),
        }
    }
}

#[cfg(feature = "cuda")]
mod gpu {
    use candle_core::backend::BackendStorage;
    use candle_core::cuda_backend::cudarc::driver::DevicePtr;
    use candle_core::{Result, Storage, Tensor, bail};

    use crate::cuda::Pinned;

    /// A copy on its way to memory of the host, which the GPU writes by itself.
    pub struct Download {
        values: Pinned,
        count: usize,
    }

    impl Download {
        pub fn begin(all: &Tensor) -> Result<Self> {
            let (guard, layout) = all.storage_and_layout();
            let (Storage::Cuda(storage), Some((from, to))) = (&*guard, layout.contiguous_offsets())
            else {
                bail!("readback: expected a contiguous tensor on a GPU");
            };
            let stream = storage.device().cuda_stream();
            let values = storage.as_cuda_slice::<f64>()?.slice(from..to);
            let count = to - from;
            Ok(Self {
                values: Pinned::download::<f64>(&stream, values.device_ptr(&stream).0, count)?,
                count,
            })
        }

        pub fn wait(&self) -> Result<Vec<f64>> {
            self.values.wait(self.count)
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn numbers_come_in_their_order_whatever_their_shape_and_type() {
        let a = Tensor::new(1.5f32, &Device::Cpu).unwrap();
        let b = Tensor::new(&[[-2.25f64]], &Device::Cpu).unwrap();
        let readback = Readback::begin(&[&a, &b]).unwrap();
        assert_eq!(readback.wait().unwrap(), [1.5, -2.25]);
        assert_eq!(readback.wait().unwrap(), [1.5, -2.25], "as often as is asked");
    }

    #[test]
    fn what_is_not_one_number_is_refused() {
        let two = Tensor::new(&[1f32, 2.0], &Device::Cpu).unwrap();
        assert!(Readback::begin(&[&two]).is_err());
        assert!(Readback::begin(&[]).is_err());
    }
}
