//! These functions turn the bytes of images into numbers and back, for evaluation only: no gradients.

use candle_core::{DType, Result, Tensor};

use crate::cuda::{Argument, Bytes, Floats, Gpu, int, over_elements};
use crate::evaluated::{Evaluation, apply};
use crate::host::map;

/// `(x − center) / divide` of bytes, u8 to f32, any shape: `(127.5, 127.5)` takes 0..=255 to -1..=1. It takes no part in
/// gradients.
///
/// # Errors
/// When the tensor is not u8.
pub fn bytes_to_floats(x: &Tensor, center: f32, divide: f32) -> Result<Tensor> {
    apply(x, x.dims(), ToFloats { count: x.elem_count(), center, divide })
}

/// [`bytes_to_floats`] from candle's elementary operators, in f64.
///
/// # Errors
/// When candle's operators fail.
pub fn bytes_to_floats_ref(x: &Tensor, center: f32, divide: f32) -> Result<Tensor> {
    (x.to_dtype(DType::F64)? - f64::from(center))? / f64::from(divide)
}

/// Images in [-1, 1] as bytes, f32 to u8, any shape: scaled to 0..=255 and cut off, not rounded, as the released code
/// does; values outside become 0 and 255, NaN becomes 0. It takes no part in gradients.
///
/// # Errors
/// When the tensor is not f32, or a gradient of it is wanted.
pub fn floats_to_bytes(x: &Tensor) -> Result<Tensor> {
    apply(x, x.dims(), ToBytes(x.elem_count()))
}

/// [`floats_to_bytes`] from candle's elementary operators.
///
/// # Errors
/// When candle's operators fail.
pub fn floats_to_bytes_ref(x: &Tensor) -> Result<Tensor> {
    x.affine(127.5, 127.5)?.clamp(0.0, 255.0)?.to_dtype(DType::U8)
}

struct ToFloats {
    count: usize,
    center: f32,
    divide: f32,
}

impl Evaluation for ToFloats {
    const NAME: &'static str = "bytes_to_floats";
    type From = u8;
    type To = f32;

    fn forward(&self, x: &[u8]) -> Vec<f32> {
        map(
            x,
            #[inline(always)]
            |x| (f32::from(x) - self.center) / self.divide,
        )
    }

    fn launch(&self, gpu: &dyn Gpu, x: Bytes, y: Floats) -> Result<()> {
        let constants = [Argument::Float(self.center), Argument::Float(self.divide)];
        let arguments = [x.read(), y.write(), int(self.count)?];
        over_elements(gpu, "bytes_to_floats", self.count, &[&arguments, &constants])
    }
}

/// The operator; it holds the number of elements.
struct ToBytes(usize);

impl Evaluation for ToBytes {
    const NAME: &'static str = "floats_to_bytes";
    type From = f32;
    type To = u8;

    fn forward(&self, x: &[f32]) -> Vec<u8> {
        map(
            x,
            // `as` cuts off, at both ends of the range too, and takes NaN to 0.
            #[inline(always)]
            |x| (x * 127.5 + 127.5) as u8,
        )
    }

    fn launch(&self, gpu: &dyn Gpu, x: Floats, y: Bytes) -> Result<()> {
        over_elements(gpu, "floats_to_bytes", self.0, &[&[x.read(), y.write(), int(self.0)?]])
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn images_are_cut_off_as_candles_operators_do_it() {
        // Every f32 at a border of two bytes, its neighbours, and what lies outside.
        let borders = (-3..=258).flat_map(|byte| {
            let at = (byte as f32 - 127.5) / 127.5;
            [at.next_down(), at, at.next_up()]
        });
        let others = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e30, -1e30];
        let values: Vec<f32> = borders.chain(others).collect();
        let x = Tensor::new(values, &Device::Cpu).unwrap();
        let bytes = |t: Tensor| t.to_vec1::<u8>().unwrap();
        let found = bytes(floats_to_bytes(&x).unwrap());
        assert_eq!(found, bytes(floats_to_bytes_ref(&x).unwrap()));
        assert!(found.contains(&0) && found.contains(&255));
    }

    #[test]
    fn fakes_are_cut_off_not_rounded() {
        let x = Tensor::new(&[-1.0f32, -0.999, 0.0, 0.999, 1.0, 2.0], &Device::Cpu).unwrap();
        // 127.5 -> 127 and 254.87 -> 254: rounding would give 128 and 255.
        let found = floats_to_bytes(&x).unwrap().to_vec1::<u8>().unwrap();
        assert_eq!(found, [0, 0, 127, 254, 255, 255]);
    }

    #[test]
    fn every_byte_equals_the_reference() {
        let x = Tensor::from_vec((0..=255).collect::<Vec<u8>>(), (16, 16), &Device::Cpu).unwrap();
        for (center, divide) in [(127.5, 127.5), (0.0, 255.0), (128.0, 128.0)] {
            let found = bytes_to_floats(&x, center, divide).unwrap();
            let expected = bytes_to_floats_ref(&x, center, divide).unwrap();
            let expected = expected.to_dtype(DType::F32).unwrap();
            assert_eq!(found.to_vec2::<f32>().unwrap(), expected.to_vec2::<f32>().unwrap());
        }
    }

    #[test]
    fn other_types_and_wanted_gradients_are_refused() {
        let x = Tensor::zeros(4, DType::F64, &Device::Cpu).unwrap();
        let error = floats_to_bytes(&x).unwrap_err().to_string();
        assert!(error.contains("floats_to_bytes: expected f32 tensors, found F64"), "{error}");
        let error = bytes_to_floats(&x, 0.0, 1.0).unwrap_err().to_string();
        assert!(error.contains("expected u8 tensors, found F64"), "{error}");
        let x = Var::zeros(4, DType::F32, &Device::Cpu).unwrap();
        let error = floats_to_bytes(&x).unwrap_err().to_string();
        assert!(error.contains("has no gradient"), "{error}");
        assert!(floats_to_bytes(&x.as_detached_tensor()).is_ok());
    }
}
