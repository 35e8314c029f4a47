//! This module makes contiguous tensors from strided views of storages, within a bound on memory.

use super::flatten::FlatEntries;
use super::value::{StorageRef, TensorRef};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::limits;
use autogan_files::Fault;
use autogan_files::strided::gather;
use candle_core::Tensor;

/// Builds the archive; `load` gives a storage's bytes and is called once per storage.
///
/// `fault` adds file and member to a fault that is found here.
pub(super) fn build(
    flat: FlatEntries,
    file_len: u64,
    fault: &dyn Fn(Fault) -> Error,
    load: &mut dyn FnMut(&StorageRef, u64) -> Result<Vec<u8>>,
) -> Result<Archive> {
    check_memory(&flat, file_len).map_err(fault)?;
    let mut order: Vec<usize> = (0..flat.tensors.len()).collect();
    order.sort_by_key(|&index| &flat.tensors[index].1.storage.key);
    let mut built: Vec<Option<Tensor>> = vec![None; order.len()];
    let mut current: Option<(StorageRef, Vec<u8>)> = None;
    for index in order {
        let (name, view) = &flat.tensors[index];
        let bytes = match &current {
            Some((loaded, bytes)) if loaded.key == view.storage.key => {
                check_same(loaded, view).map_err(fault)?;
                bytes
            }
            _ => {
                // Dropped first, so that two storages are never held at once.
                current = None;
                let bytes = load(&view.storage, view.at)?;
                &current.insert((view.storage.clone(), bytes)).1
            }
        };
        let element = view.storage.element;
        let elements = gather(bytes, element.size(), view.offset, &view.dims, &view.strides);
        let elements = elements.ok_or_else(|| {
            fault(Fault::new(view.at, "a tensor inside its storage", "one outside"))
        })?;
        built[index] = Some(element.tensor(name, elements, &view.dims)?);
    }
    let mut archive: Archive = flat
        .tensors
        .into_iter()
        .zip(built)
        .filter_map(|((name, _), tensor)| Some((name, tensor?)))
        .collect();
    for (name, text) in flat.metadata {
        archive.set_metadata(name, text);
    }
    archive.set_opaque(flat.opaque);
    Ok(archive)
}

fn check_memory(flat: &FlatEntries, file_len: u64) -> Result<(), Fault> {
    let limit = limits::tensor_bytes(file_len);
    let mut sum = 0u64;
    for (name, view) in &flat.tensors {
        sum = sum.saturating_add(view.bytes());
        if sum > limit {
            return Err(Fault::new(
                view.at,
                format!("at most {limit} bytes of tensors in a file of {file_len} bytes"),
                format!("more with `{name}` of shape {:?}", view.dims),
            ));
        }
    }
    Ok(())
}

/// Two references to one storage must agree, or one of them was not checked against its size.
fn check_same(loaded: &StorageRef, view: &TensorRef) -> Result<(), Fault> {
    if loaded.element == view.storage.element && loaded.count == view.storage.count {
        return Ok(());
    }
    Err(Fault::new(
        view.at,
        format!("storage {:?} as {} · {}", loaded.key, loaded.count, loaded.element.name),
        format!("{} · {}", view.storage.count, view.storage.element.name),
    ))
}
