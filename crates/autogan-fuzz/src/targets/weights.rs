//! Files of named tensors: safetensors, PyTorch's two formats, and the pickles inside.

use std::path::Path;

use autogan_files::pickle::{Pickle, Value};
use autogan_weights::{Archive, sniff};

use crate::scratch;
use crate::seeds::weights::zip_around;

/// A file of any format that is read: what was read is written as safetensors and read again.
fn any(path: &Path) -> bool {
    // What the file is must not decide whether it can be looked at.
    let _ = sniff(path);
    let Ok(archive) = Archive::read_any(path) else { return false };
    let written = archive.safetensors_bytes().unwrap();
    let again = Archive::read_safetensors(scratch::file("written.safetensors", &written)).unwrap();
    assert_eq!(again.safetensors_bytes().unwrap(), written);
    true
}

/// A safetensors file.
pub(super) fn safetensors(bytes: &[u8]) -> bool {
    any(&scratch::file("a.safetensors", bytes))
}

/// PyTorch's format, which is a zip.
pub(super) fn zip(bytes: &[u8]) -> bool {
    any(&scratch::file("a.pth", bytes))
}

/// The pickle in PyTorch's zip; the zip around it is whole. Two bytes tell the length of the pickle, and a storage
/// follows it.
pub(super) fn pickle_in_zip(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return false };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (pickle, storage) = rest.split_at(length);
    any(&scratch::file("b.pth", &zip_around(pickle, storage)))
}

/// PyTorch's format before version 1.6.
pub(super) fn legacy(bytes: &[u8]) -> bool {
    any(&scratch::file("c.pth", bytes))
}

/// A pickle alone, each of its values looked at in every way.
pub(super) fn pickle(bytes: &[u8]) -> bool {
    let Ok(pickle) = Pickle::parse(bytes) else { return false };
    for id in pickle.ids() {
        let _ = pickle.kind(id);
        let _ = pickle.text(id);
        let _ = pickle.bytes(id);
        let _ = pickle.global(id);
        let _ = pickle.called(id);
        let _ = pickle.number(id);
        let _ = pickle.array(id);
        let _ = pickle.entries(id);
        assert!(pickle.offset(id) <= bytes.len() as u64);
        if let (Value::List(items), Some(found)) = (pickle.value(id), pickle.items(id)) {
            assert_eq!(items, found);
        }
    }
    true
}
