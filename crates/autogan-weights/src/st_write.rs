//! Writing safetensors files: atomic, and the same bytes for the same archive.
//!
//! The serialiser of the crate `safetensors` takes metadata in a hash map, whose order changes from
//! run to run; checkpoints here must be identical bytes, so the header is written by hand.

use crate::archive::Archive;
use crate::atomic;
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;

/// Data starts on a multiple of 8, so that a reader may map the file and use it in place.
const ALIGN: usize = 8;

impl Archive {
    /// Writes a safetensors file: beside its place first, synced, then renamed, so that `path`
    /// never holds half a file. Names keep their order in the header; tensors of larger elements
    /// lie first. The same archive gives the same bytes.
    ///
    /// # Errors
    /// When the directory or the file cannot be written, or a tensor has a type that
    /// [`Archive::read_safetensors`] does not read.
    pub fn write_safetensors(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        atomic::write(path, |out| self.encode(path, out))
    }

    /// The bytes that [`Archive::write_safetensors`] would write.
    ///
    /// # Errors
    /// When a tensor has a type that [`Archive::read_safetensors`] does not read.
    pub fn safetensors_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.encode(Path::new("memory"), &mut bytes)?;
        Ok(bytes)
    }

    fn encode(&self, path: &Path, out: &mut impl Write) -> Result<()> {
        let mut order: Vec<(&str, &Tensor)> = self.iter().collect();
        order.sort_by_key(|(_, t)| std::cmp::Reverse(t.dtype().size_in_bytes()));
        let header = self.header(&order)?;
        let write = |e| Error::io(path, "write it", e);
        out.write_all(&(header.len() as u64).to_le_bytes())
            .and_then(|()| out.write_all(&header))
            .map_err(write)?;
        for (name, tensor) in order {
            out.write_all(&little_endian(name, tensor)?).map_err(write)?;
        }
        Ok(())
    }

    /// JSON of names in the archive's order with offsets in the order of the data, padded.
    fn header(&self, order: &[(&str, &Tensor)]) -> Result<Vec<u8>> {
        let mut begins = std::collections::HashMap::new();
        let mut end = 0;
        for (name, tensor) in order {
            begins.insert(*name, end);
            end += tensor.elem_count() * tensor.dtype().size_in_bytes();
        }
        let mut fields = Vec::new();
        if !self.metadata().is_empty() {
            let entries: Map<String, Value> =
                self.metadata().iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
            fields.push(format!("\"__metadata__\":{}", Value::Object(entries)));
        }
        for (name, tensor) in self.iter() {
            let begin = begins[name];
            let bytes = tensor.elem_count() * tensor.dtype().size_in_bytes();
            fields.push(format!(
                "{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{begin},{}]}}",
                Value::from(name),
                type_name(name, tensor.dtype())?,
                json!(tensor.dims()),
                begin + bytes
            ));
        }
        let mut header = format!("{{{}}}", fields.join(",")).into_bytes();
        header.resize(header.len().next_multiple_of(ALIGN), b' ');
        Ok(header)
    }
}

fn type_name(name: &str, dtype: DType) -> Result<&'static str> {
    Ok(match dtype {
        DType::F64 => "F64",
        DType::F32 => "F32",
        DType::F16 => "F16",
        DType::BF16 => "BF16",
        DType::I64 => "I64",
        DType::I32 => "I32",
        DType::I16 => "I16",
        DType::U32 => "U32",
        DType::U8 => "U8",
        other => {
            return Err(Error::UnsupportedType {
                name: name.to_string(),
                dtype: other.as_str().to_string(),
            });
        }
    })
}

/// The tensor's elements in row-major order, little-endian.
pub(crate) fn little_endian(name: &str, tensor: &Tensor) -> Result<Vec<u8>> {
    let local = tensor
        .to_device(&Device::Cpu)
        .and_then(|t| t.contiguous())
        .map_err(|source| Error::Tensor { name: name.to_string(), source })?;
    Ok(safetensors::View::data(&local).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Archive {
        let mut archive = Archive::new();
        let t = |v: &[f32]| Tensor::new(v, &Device::Cpu).unwrap();
        archive.insert("byte", Tensor::new(&[1u8, 2, 3], &Device::Cpu).unwrap());
        archive.insert("wide", Tensor::new(&[1.5f64, -2.0], &Device::Cpu).unwrap());
        archive.insert("quoted \"name\"", t(&[1.0, 2.0, 3.0]));
        archive.insert("scalar", Tensor::new(7i64, &Device::Cpu).unwrap());
        archive.insert("empty", t(&[]));
        archive.set_metadata("b", "2");
        archive.set_metadata("a", "ü\n");
        archive
    }

    #[test]
    fn what_is_written_is_read_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        let archive = sample();
        archive.write_safetensors(&path).unwrap();
        let back = Archive::read_safetensors(&path).unwrap();
        assert_eq!(back.names().collect::<Vec<_>>(), archive.names().collect::<Vec<_>>());
        assert_eq!(back.metadata(), archive.metadata());
        assert_eq!(back.get("byte").unwrap().to_vec1::<u8>().unwrap(), [1, 2, 3]);
        assert_eq!(back.get("wide").unwrap().to_vec1::<f64>().unwrap(), [1.5, -2.0]);
        assert_eq!(back.get("scalar").unwrap().to_scalar::<i64>().unwrap(), 7);
        assert_eq!(back.get("empty").unwrap().dims(), [0]);
        assert_eq!(std::fs::read(&path).unwrap(), sample().safetensors_bytes().unwrap());
    }

    #[test]
    fn the_crate_safetensors_reads_it_too() {
        let bytes = sample().safetensors_bytes().unwrap();
        let peer = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(peer.len(), 5);
        assert_eq!(peer.tensor("byte").unwrap().data(), [1, 2, 3]);
        let wide = peer.tensor("wide").unwrap();
        assert_eq!(wide.data()[..8], 1.5f64.to_le_bytes());
        assert_eq!(wide.data().as_ptr() as usize % 8, bytes.as_ptr() as usize % 8);
    }

    #[test]
    fn a_transposed_tensor_is_written_in_row_major_order() {
        let t = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        let archive: Archive = [("t".to_string(), t.t().unwrap())].into_iter().collect();
        let bytes = archive.safetensors_bytes().unwrap();
        let peer = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let expected: Vec<u8> =
            [1f32, 3.0, 2.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(peer.tensor("t").unwrap().data(), expected);
    }

    #[test]
    fn a_type_that_is_not_read_is_not_written() {
        let t = Tensor::new(&[1f32], &Device::Cpu).unwrap().to_dtype(DType::F8E4M3).unwrap();
        let archive: Archive = [("t".to_string(), t)].into_iter().collect();
        let error = archive.safetensors_bytes().unwrap_err().to_string();
        assert!(error.contains("`t`") && error.contains("f8e4m3"), "{error}");
    }
}
