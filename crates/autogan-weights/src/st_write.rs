//! This module writes safetensors files: whole or not at all, and the same bytes for the same archive.

use crate::archive::Archive;
use crate::element::Element;
use crate::error::{Error, Result};
use autogan_files::atomic;
use autogan_files::safetensors::{Entry, Layout};
use candle_core::{Device, Tensor};
use std::io::{self, Write};
use std::path::Path;

impl Archive {
    /// Writes a safetensors file: beside its place first, synced, then renamed, so that `path`
    /// never holds half a file. Names keep their order in the header; tensors of larger elements
    /// lie first. The same archive gives the same bytes.
    ///
    /// # Errors
    /// When the directory or the file cannot be written, or a tensor has a type that
    /// [`Archive::read_safetensors`] does not read.
    pub fn write_safetensors(&self, path: impl AsRef<Path>) -> Result<()> {
        let (tensors, layout) = self.layout()?;
        Ok(atomic::write_with(path.as_ref(), |out| encode(&tensors, &layout, out))?)
    }

    /// The bytes that [`Archive::write_safetensors`] would write.
    ///
    /// # Errors
    /// When a tensor has a type that [`Archive::read_safetensors`] does not read.
    pub fn safetensors_bytes(&self) -> Result<Vec<u8>> {
        let (tensors, layout) = self.layout()?;
        let mut bytes = Vec::new();
        encode(&tensors, &layout, &mut bytes).map_err(Error::io("write", Path::new("memory")))?;
        Ok(bytes)
    }

    /// The tensors on the host, in the archive's order, and where each lies in the file.
    fn layout(&self) -> Result<(Vec<Tensor>, Layout)> {
        let mut tensors = Vec::with_capacity(self.len());
        let mut entries = Vec::with_capacity(self.len());
        for (name, tensor) in self.iter() {
            tensors.push(on_host(name, tensor)?);
            let dtype = Element::of(name, tensor)?.name;
            entries.push(Entry { name, dtype, shape: tensor.dims() });
        }
        Ok((tensors, Layout::new(self.metadata(), &entries)?))
    }
}

fn encode(tensors: &[Tensor], layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    layout.write(out, |index, out| out.write_all(&safetensors::View::data(&tensors[index])))
}

fn on_host(name: &str, tensor: &Tensor) -> Result<Tensor> {
    let local = tensor.to_device(&Device::Cpu).and_then(|t| t.contiguous());
    local.map_err(|source| Error::tensor(name, source))
}

/// The tensor's elements in row-major order, little-endian.
pub(crate) fn little_endian(name: &str, tensor: &Tensor) -> Result<Vec<u8>> {
    Ok(safetensors::View::data(&on_host(name, tensor)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

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
