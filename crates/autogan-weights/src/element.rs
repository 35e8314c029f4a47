//! An [`Element`] is a type of elements that files hold; it makes tensors from little-endian bytes.

use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;

/// Element type of stored tensors; each has a candle type that holds it without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name in a safetensors header.
    pub name: Dtype,
    /// The candle type that holds it.
    pub dtype: DType,
    /// The storage class that PyTorch pickles, where there is one.
    pub class: Option<&'static str>,
}

/// All element types. Where two have one candle type, tensors of it are written as the first.
const ELEMENTS: [Element; 10] = [
    Element { name: Dtype::F64, dtype: DType::F64, class: Some("DoubleStorage") },
    Element { name: Dtype::F32, dtype: DType::F32, class: Some("FloatStorage") },
    Element { name: Dtype::F16, dtype: DType::F16, class: Some("HalfStorage") },
    Element { name: Dtype::BF16, dtype: DType::BF16, class: Some("BFloat16Storage") },
    Element { name: Dtype::I64, dtype: DType::I64, class: Some("LongStorage") },
    Element { name: Dtype::I32, dtype: DType::I32, class: Some("IntStorage") },
    Element { name: Dtype::I16, dtype: DType::I16, class: Some("ShortStorage") },
    Element { name: Dtype::U32, dtype: DType::U32, class: None },
    Element { name: Dtype::U8, dtype: DType::U8, class: Some("ByteStorage") },
    // One byte each; a `u8` tensor of zeros and ones in memory.
    Element { name: Dtype::BOOL, dtype: DType::U8, class: Some("BoolStorage") },
];

impl Element {
    /// The type that has this name in a safetensors header; `None` for types without a candle type.
    pub fn from_safetensors(name: Dtype) -> Option<Self> {
        ELEMENTS.into_iter().find(|element| element.name == name)
    }

    /// The type of the storage class that PyTorch pickles; `None` for other classes.
    pub fn from_storage_class(class: &str) -> Option<Self> {
        ELEMENTS.into_iter().find(|element| element.class == Some(class))
    }

    /// The type in which a tensor is written; an error for types that are not read back.
    pub fn of(name: &str, tensor: &Tensor) -> Result<Self> {
        let found = ELEMENTS.into_iter().find(|element| element.dtype == tensor.dtype());
        found.ok_or_else(|| Error::unsupported_type(name, tensor))
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        self.name.bitsize() / 8
    }

    /// A CPU tensor from exactly `dims.product() * size` bytes in little-endian order.
    pub fn tensor(self, name: &str, mut bytes: Vec<u8>, dims: &[usize]) -> Result<Tensor> {
        if self.name == Dtype::BOOL {
            bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
        Tensor::from_raw_buffer(&bytes, self.dtype, dims, &Device::Cpu)
            .map_err(|source| Error::tensor(name, source))
    }
}
