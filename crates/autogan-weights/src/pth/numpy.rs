//! NumPy scalars, which training scripts leave beside the tensors (a best FID, for one).
//!
//! They are pickled as `numpy.core.multiarray.scalar(dtype, bytes)`, the bytes under protocol 2 as
//! `_codecs.encode(text, "latin1")`. Both become plain numbers.

use super::value::Value;
use crate::error::{Fault, quote};

/// Element types of scalars that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    F64,
    F32,
    I64,
    I32,
}

impl Scalar {
    /// From the first argument of `numpy.dtype`.
    pub fn from_code(code: &Value, at: u64) -> Result<Self, Fault> {
        let Value::Text(code) = code else {
            return Err(Fault::new(at, "a numpy dtype by name", code.kind()));
        };
        Ok(match &**code {
            "f8" => Scalar::F64,
            "f4" => Scalar::F32,
            "i8" => Scalar::I64,
            "i4" => Scalar::I32,
            _ => {
                let wanted = "a numpy scalar of type f8, f4, i8 or i4";
                return Err(Fault::new(at, wanted, quote(code)));
            }
        })
    }

    /// The number in little-endian bytes.
    pub fn read(self, bytes: &[u8], at: u64) -> Result<Value, Fault> {
        let number = match self {
            Scalar::F64 => bytes.try_into().map(|b| Value::Float(f64::from_le_bytes(b))),
            Scalar::F32 => bytes.try_into().map(|b| Value::Float(f32::from_le_bytes(b).into())),
            Scalar::I64 => bytes.try_into().map(|b| Value::Int(i64::from_le_bytes(b))),
            Scalar::I32 => bytes.try_into().map(|b| Value::Int(i32::from_le_bytes(b).into())),
        };
        number.map_err(|_| {
            let found = format!("{} bytes", bytes.len());
            Fault::new(at, format!("the bytes of a numpy scalar {self:?}"), found)
        })
    }
}

/// `_codecs.encode(text, "latin1")`: one byte per character.
pub(super) fn encode(text: &Value, codec: &Value, at: u64) -> Result<Value, Fault> {
    let wanted = "a text to encode as latin1";
    match (text, codec) {
        (Value::Text(text), Value::Text(codec)) if &**codec == "latin1" => text
            .chars()
            .map(|c| u8::try_from(c).map_err(|_| Fault::new(at, wanted, quote(text))))
            .collect::<Result<Vec<u8>, Fault>>()
            .map(Value::Bytes),
        (text, codec) => {
            let found = format!("{} and {}", text.kind(), codec.kind());
            Err(Fault::new(at, wanted, found))
        }
    }
}
