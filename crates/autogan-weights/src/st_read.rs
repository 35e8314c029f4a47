//! Reading safetensors files: header first, then each tensor from its place.

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::limits;
use crate::st_header::{self, Header};
use autogan_files::Fault;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

impl Archive {
    /// Reads a safetensors file. Tensors are on the CPU, in the order of the header; `BOOL`
    /// becomes a `u8` of zeros and ones.
    ///
    /// # Errors
    /// When the file cannot be read, is truncated, or its header breaks a rule of the format
    /// (lengths, offsets, holes, overlaps, names given twice) or holds a type that candle lacks.
    pub fn read_safetensors(path: impl AsRef<Path>) -> Result<Archive> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let len = file.metadata().map_err(Error::io("read the size of", path))?.len();
        let (header, data_at) = read_header(path, &mut file, len)?;
        let mut archive = Archive::new();
        for entry in header.entries {
            let at = data_at + entry.begin;
            file.seek(SeekFrom::Start(at)).map_err(Error::io("read", path))?;
            let mut bytes = vec![0u8; entry.bytes];
            file.read_exact(&mut bytes).map_err(Error::io("read a tensor from", path))?;
            let tensor = entry.element.tensor(&entry.name, bytes, &entry.dims)?;
            archive.insert(entry.name, tensor);
        }
        for (name, text) in header.metadata {
            archive.set_metadata(name, text);
        }
        Ok(archive)
    }
}

/// The checked header and the offset of the data behind it.
fn read_header(path: &Path, file: &mut File, len: u64) -> Result<(Header, u64)> {
    let fault = |fault: Fault| Error::in_file(path, "", fault);
    if len < 8 {
        let found = format!("a file of {len} bytes");
        return Err(fault(Fault::new(0, "8 bytes of header length", found)));
    }
    let mut count = [0u8; 8];
    file.read_exact(&mut count).map_err(Error::io("read the header of", path))?;
    let count = u64::from_le_bytes(count);
    let room = (len - 8).min(limits::HEADER_BYTES);
    if count > room {
        return Err(fault(Fault::new(
            0,
            format!("a header length of at most {room} in this file of {len} bytes"),
            format!("{count}"),
        )));
    }
    let mut json = vec![0u8; count as usize];
    file.read_exact(&mut json).map_err(Error::io("read the header of", path))?;
    let header = st_header::parse(&json, len - 8 - count).map_err(fault)?;
    Ok((header, 8 + count))
}
