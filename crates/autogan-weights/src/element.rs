//! Element types that files hold, and tensors from their little-endian bytes.

use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;

/// Element type of stored tensors; each has a candle type that holds it without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    U32,
    U8,
    /// One byte each; a `u8` tensor of zeros and ones in memory.
    Bool,
}

impl Element {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Element::F64 | Element::I64 => 8,
            Element::F32 | Element::I32 | Element::U32 => 4,
            Element::F16 | Element::BF16 | Element::I16 => 2,
            Element::U8 | Element::Bool => 1,
        }
    }

    /// The candle type that holds it.
    pub fn dtype(self) -> DType {
        match self {
            Element::F64 => DType::F64,
            Element::F32 => DType::F32,
            Element::F16 => DType::F16,
            Element::BF16 => DType::BF16,
            Element::I64 => DType::I64,
            Element::I32 => DType::I32,
            Element::I16 => DType::I16,
            Element::U32 => DType::U32,
            Element::U8 | Element::Bool => DType::U8,
        }
    }

    /// From the type's name in a safetensors header; `None` for types without a candle one.
    pub fn from_safetensors(dtype: Dtype) -> Option<Self> {
        Some(match dtype {
            Dtype::F64 => Element::F64,
            Dtype::F32 => Element::F32,
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::BF16,
            Dtype::I64 => Element::I64,
            Dtype::I32 => Element::I32,
            Dtype::I16 => Element::I16,
            Dtype::U32 => Element::U32,
            Dtype::U8 => Element::U8,
            Dtype::BOOL => Element::Bool,
            _ => return None,
        })
    }

    /// From the storage class that PyTorch pickles; `None` for other classes.
    pub fn from_storage_class(class: &str) -> Option<Self> {
        Some(match class {
            "DoubleStorage" => Element::F64,
            "FloatStorage" => Element::F32,
            "HalfStorage" => Element::F16,
            "BFloat16Storage" => Element::BF16,
            "LongStorage" => Element::I64,
            "IntStorage" => Element::I32,
            "ShortStorage" => Element::I16,
            "ByteStorage" => Element::U8,
            "BoolStorage" => Element::Bool,
            _ => return None,
        })
    }

    /// A CPU tensor from exactly `dims.product() * size` bytes in little-endian order.
    pub fn tensor(self, name: &str, mut bytes: Vec<u8>, dims: &[usize]) -> Result<Tensor> {
        if self == Element::Bool {
            bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
        Tensor::from_raw_buffer(&bytes, self.dtype(), dims, &Device::Cpu)
            .map_err(|source| Error::Tensor { name: name.to_string(), source })
    }
}
