//! This module finds out from a file's first bytes, never from its name, which container it is.

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::{limits, pth};
use autogan_files::{Class, TAR, kind, quote};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How PyTorch's legacy container starts, behind the header of a pickle: the number
/// 0x1950a86a20f9469cfc6c, and the end of this pickle.
const LEGACY_MAGIC: [u8; 13] =
    [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/// The containers that [`Archive::read_any`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// safetensors.
    Safetensors,
    /// A zip file, as `torch.save` writes it since PyTorch 1.6.
    PthZip,
    /// A sequence of pickles and raw storages, as `torch.save` wrote it before.
    PthLegacy,
}

/// Tells the container of a file from its first bytes.
///
/// # Errors
/// When the file cannot be read, or is none of the containers: the error says what it looks like.
pub fn sniff(path: impl AsRef<Path>) -> Result<Container> {
    let path = path.as_ref();
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut head = Vec::new();
    file.take(512).read_to_end(&mut head).map_err(Error::io("read", path))?;
    classify(&head).map_err(|found| {
        Error::format(path, 0, "a safetensors file, or a .pth file from torch.save", found)
    })
}

/// Length of the pickle with the magic number that a legacy container starts with, of any protocol.
pub(crate) fn legacy_magic(head: &[u8]) -> Option<usize> {
    // PROTO with a version, and from protocol 4 on FRAME with a length.
    let at = match head {
        [0x80, 0..=3, ..] => 2,
        [0x80, 4..=5, 0x95, ..] => 11,
        _ => return None,
    };
    let end = at + LEGACY_MAGIC.len();
    (head.get(at..end)? == LEGACY_MAGIC).then_some(end)
}

/// The container, or a description of what the bytes look like instead.
fn classify(head: &[u8]) -> std::result::Result<Container, String> {
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Ok(Container::PthZip);
    }
    if legacy_magic(head).is_some() {
        return Ok(Container::PthLegacy);
    }
    if let Some((length, json)) = head.split_first_chunk::<8>()
        && u64::from_le_bytes(*length) <= limits::HEADER_BYTES
        && json.first() == Some(&b'{')
    {
        return Ok(Container::Safetensors);
    }
    Err(describe(head))
}

/// How a checkpoint of pickle protocols 0 and 1 starts: the magic number as a text.
const OLD_PROTOCOL: &[u8] = b"L119547037146038801333356L";

fn describe(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(&head[..head.len().min(48)]);
    let known = kind(head);
    match known.map(|kind| (kind.class, kind.name)) {
        _ if head.is_empty() => "an empty file".to_string(),
        _ if head.starts_with(OLD_PROTOCOL) => {
            "a checkpoint of pickle protocol 0 or 1: save it again with torch.save as it is".to_string()
        }
        Some((Class::Archive, TAR)) => {
            "a tar file, PyTorch's container before 0.1.10: load it with an old PyTorch and save it again".to_string()
        }
        Some((Class::Pickle, _)) => {
            "a plain pickle: load it in Python and write it with torch.save or safetensors".to_string()
        }
        Some((_, name)) => name.to_string(),
        None if head.starts_with(b"<") => {
            format!("a web page, {}: the download gave an error page", quote(&text))
        }
        None => quote(&text),
    }
}

impl Archive {
    /// Reads safetensors, or a `.pth` file that `torch.save` wrote from a dictionary, in either container: whichever the
    /// first bytes say. For safetensors see [`Archive::read_safetensors`].
    ///
    /// Of a `.pth` file, nested dictionaries and lists are flattened with `.` (`gen_state_dict.cell1.c1.weight`);
    /// numbers, texts and booleans become metadata, as do the texts that [`Archive::write_pth`] wrote; `None` is left
    /// out. Whatever else lies beside the tensors (objects, functions, arrays) is recorded and never executed: see
    /// [`Archive::opaque`]. Tensors are on the CPU, contiguous, whatever their strides were; booleans become a `u8` of
    /// zeros and ones.
    ///
    /// # Errors
    /// When the file cannot be read or is truncated; when its pickle is broken or is no dictionary; when a tensor
    /// leaves its storage; when it would take far more memory than its size on disk. File and offset are named.
    pub fn read_any(path: impl AsRef<Path>) -> Result<Archive> {
        let path = path.as_ref();
        match sniff(path)? {
            Container::Safetensors => Archive::read_safetensors(path),
            Container::PthZip => pth::zip::read(path),
            Container::PthLegacy => pth::legacy::read(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_from_their_first_bytes() {
        assert_eq!(classify(b"PK\x03\x04rest"), Ok(Container::PthZip));
        for start in [&b"\x80\x02"[..], b"\x80\x04\x95\x0b\0\0\0\0\0\0\0"] {
            let head = [start, &LEGACY_MAGIC, b"more"].concat();
            assert_eq!(classify(&head), Ok(Container::PthLegacy));
            assert_eq!(legacy_magic(&head), Some(head.len() - 4));
        }
        let mut head = 2u64.to_le_bytes().to_vec();
        head.extend(b"{}");
        assert_eq!(classify(&head), Ok(Container::Safetensors));
    }

    #[test]
    fn foreign_files_are_described() {
        for (bytes, word) in [
            (&b""[..], "empty"),
            (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
            (b"<!doctype html>", "web page"),
            (b"\x80\x04\x95", "plain pickle"),
            (b"\x89PNG\r\n\x1a\n", "PNG"),
            (b"\x08\x07\x12\x07pytorch", "an ONNX model"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"GGUF\x03\0\0\0", "a GGUF model"),
            (b"\x1f\x8b\x08\0", "compressed with gzip"),
            (b"\x93NUMPY\x01\0", "a NumPy array"),
            (b"L119547037146038801333356L\n.", "pickle protocol 0 or 1"),
            (b"{\"weight_map\": {}}", "weight_map"),
        ] {
            let found = classify(bytes).unwrap_err();
            assert!(found.contains(word), "{found}");
        }
        let mut tar = vec![b'x'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(classify(&tar).unwrap_err().contains("tar"));
        // A header length that no file has is not safetensors.
        let mut head = u64::MAX.to_le_bytes().to_vec();
        head.extend(b"{}");
        assert!(classify(&head).is_err());
    }
}
