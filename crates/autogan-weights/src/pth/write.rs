//! This module writes the zip container, so that `torch.load` (with `weights_only=True`, its default) reads the file.
//!
//! `archive/data.pkl` is a pickle of protocol 2: an `OrderedDict` from name to `torch._utils._rebuild_tensor_v2` of a
//! whole storage. Source of the layout: `torch/serialization.py` of PyTorch.

use std::io::{Seek, Write};
use std::path::Path;

use autogan_files::atomic;
use autogan_files::strided::row_major;
use candle_core::Tensor;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::zip::METADATA;
use crate::archive::Archive;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::st_write;

/// Directory in the container; `torch.load` takes any.
const PREFIX: &str = "archive";

impl Archive {
    /// Writes a `.pth` file as `torch.save(OrderedDict(…))` does since PyTorch 1.6: beside its place first, synced,
    /// then renamed. Metadata, which a state dict has no place for, goes to the member `archive/metadata.json`, which
    /// PyTorch does not look at and [`Archive::read_any`] does.
    ///
    /// # Errors
    /// When the directory or the file cannot be written, or a tensor is `u32`, which PyTorch has no storage for.
    pub fn write_pth(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let pickle = self.pickle()?;
        // The writer has to seek back, so the container is made in memory.
        let mut bytes = std::io::Cursor::new(Vec::new());
        self.container(&pickle, &mut bytes, path)?;
        Ok(atomic::write(path, bytes.get_ref())?)
    }

    fn container(&self, pickle: &[u8], out: impl Write + Seek, path: &Path) -> Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true);
        let mut zip = ZipWriter::new(out);
        let mut member = |name: &str, bytes: &[u8]| {
            zip.start_file(format!("{PREFIX}/{name}"), options)
                .map_err(std::io::Error::from)
                .and_then(|()| zip.write_all(bytes))
                .map_err(Error::io("write", path))
        };
        member("data.pkl", pickle)?;
        member("byteorder", b"little")?;
        if !self.metadata().is_empty() {
            member(METADATA, serde_json::json!(self.metadata()).to_string().as_bytes())?;
        }
        for (key, (name, tensor)) in self.iter().enumerate() {
            member(&format!("data/{key}"), &st_write::little_endian(name, tensor)?)?;
        }
        member("version", b"3\n")?;
        zip.finish().map_err(std::io::Error::from).map_err(Error::io("write", path))?;
        Ok(())
    }

    fn pickle(&self) -> Result<Vec<u8>> {
        let mut out = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
        for (key, (name, tensor)) in self.iter().enumerate() {
            text(&mut out, name);
            rebuild(&mut out, key, name, tensor)?;
        }
        out.extend(b"u.");
        Ok(out)
    }
}

/// A call of `_rebuild_tensor_v2` on storage `key`.
fn rebuild(out: &mut Vec<u8>, key: usize, name: &str, tensor: &Tensor) -> Result<()> {
    let class = Element::of(name, tensor)?.class;
    let class = class.ok_or_else(|| Error::unsupported_type(name, tensor))?;
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(out, "storage");
    out.extend(format!("ctorch\n{class}\n").into_bytes());
    text(out, &key.to_string());
    text(out, "cpu");
    int(out, tensor.elem_count());
    out.extend(b"tQ");
    int(out, 0);
    tuple(out, tensor.dims());
    tuple(out, &row_major(tensor.dims()));
    // No gradient, no hooks.
    out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    Ok(())
}

fn text(out: &mut Vec<u8>, value: &str) {
    out.push(b'X');
    // A tensor's name of 4 GB does not fit in a pickle of 64 MB, the most that is read back.
    out.extend((value.len() as u32).to_le_bytes());
    out.extend(value.as_bytes());
}

/// Writes a LONG1 of 8 bytes; sizes in memory are below 2^63, so that it stays positive.
fn int(out: &mut Vec<u8>, value: usize) {
    out.extend([0x8a, 8]);
    out.extend((value as u64).to_le_bytes());
}

fn tuple(out: &mut Vec<u8>, values: &[usize]) {
    out.push(b'(');
    values.iter().for_each(|value| int(out, *value));
    out.push(b't');
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut archive = Archive::new();
        let ramp: Vec<f32> = (0..24).map(|i| i as f32 - 7.5).collect();
        let ramp = Tensor::from_vec(ramp, (2, 3, 4), &Device::Cpu).unwrap();
        archive.insert("a.weight", ramp.transpose(0, 2).unwrap());
        archive.insert("half", ramp.to_dtype(DType::F16).unwrap());
        archive.insert("scalar", Tensor::new(1i64 << 40, &Device::Cpu).unwrap());
        archive.insert("empty", Tensor::zeros((0, 3), DType::F64, &Device::Cpu).unwrap());
        archive.insert("bytes", Tensor::new(&[1u8, 255], &Device::Cpu).unwrap());
        archive.set_metadata("source_sha256", "ab");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.pth");
        archive.write_pth(&path).unwrap();
        let read = Archive::read_any(&path).unwrap();
        assert!(read.names().eq(archive.names()));
        assert_eq!(read.metadata(), archive.metadata());
        for (name, tensor) in archive.iter() {
            let found = read.require(name).unwrap();
            assert_eq!((found.dims(), found.dtype()), (tensor.dims(), tensor.dtype()), "{name}");
            let bytes = |t: &Tensor| st_write::little_endian(name, t).unwrap();
            assert_eq!(bytes(found), bytes(tensor), "{name}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_type_that_pytorch_lacks_is_refused() {
        let mut archive = Archive::new();
        archive.insert("x", Tensor::new(1u32, &Device::Cpu).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let error = archive.write_pth(dir.path().join("w.pth")).unwrap_err();
        assert!(matches!(error, Error::UnsupportedType { .. }), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
