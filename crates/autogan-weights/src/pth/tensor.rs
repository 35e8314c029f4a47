//! From strided views of storages to contiguous tensors, within a bound on memory.

use super::flatten::Flat;
use super::value::{StorageRef, TensorRef};
use crate::archive::Archive;
use crate::error::{Error, Fault, Result};
use crate::limits;
use candle_core::Tensor;
use std::rc::Rc;

/// Builds the archive; `load` gives a storage's bytes and is called once per storage.
///
/// `fault` adds file and member to an offence found here.
pub(super) fn build(
    flat: Flat,
    file_len: u64,
    fault: &dyn Fn(Fault) -> Error,
    load: &mut dyn FnMut(&StorageRef, u64) -> Result<Vec<u8>>,
) -> Result<Archive> {
    check_memory(&flat, file_len).map_err(fault)?;
    let mut order: Vec<usize> = (0..flat.tensors.len()).collect();
    order.sort_by(|a, b| key(&flat, *a).cmp(key(&flat, *b)));
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
        let elements = gather(bytes, view).map_err(fault)?;
        built[index] = Some(view.storage.element.tensor(name, elements, &view.dims)?);
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
    Ok(archive)
}

fn key(flat: &Flat, index: usize) -> &Rc<str> {
    &flat.tensors[index].1.storage.key
}

fn check_memory(flat: &Flat, file_len: u64) -> std::result::Result<(), Fault> {
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
fn check_same(loaded: &StorageRef, view: &TensorRef) -> std::result::Result<(), Fault> {
    if loaded.element == view.storage.element && loaded.count == view.storage.count {
        return Ok(());
    }
    Err(Fault::new(
        view.at,
        format!("storage {:?} as {} · {:?}", loaded.key, loaded.count, loaded.element),
        format!("{} · {:?}", view.storage.count, view.storage.element),
    ))
}

/// The view's elements in row-major order.
fn gather(storage: &[u8], view: &TensorRef) -> std::result::Result<Vec<u8>, Fault> {
    let size = view.storage.element.size();
    let bytes = view.bytes() as usize;
    let start = view.offset as usize * size;
    if bytes == 0 || is_contiguous(view) {
        let end = if bytes == 0 { start } else { start + bytes };
        let found = || Fault::new(view.at, "a tensor inside its storage", "one outside");
        let slice = if bytes == 0 { Some(&[][..]) } else { storage.get(start..end) };
        return slice.map(<[u8]>::to_vec).ok_or_else(found);
    }
    let mut gathered = Vec::with_capacity(bytes);
    let mut index = vec![0usize; view.dims.len()];
    let mut at = view.offset as usize;
    while gathered.len() < bytes {
        let element = storage.get(at * size..(at + 1) * size).ok_or_else(|| {
            Fault::new(view.at, "a tensor inside its storage", format!("element {at}"))
        })?;
        gathered.extend_from_slice(element);
        // The last index runs fastest; one that wraps takes its whole way back.
        for d in (0..index.len()).rev() {
            let stride = view.strides[d] as usize;
            index[d] += 1;
            if index[d] < view.dims[d] {
                at += stride;
                break;
            }
            at -= stride * (view.dims[d] - 1);
            index[d] = 0;
        }
    }
    Ok(gathered)
}

/// Whether the elements lie in row-major order without gaps (dimensions of 1 have any stride).
fn is_contiguous(view: &TensorRef) -> bool {
    let mut expected = 1u64;
    view.dims.iter().zip(&view.strides).rev().all(|(dim, stride)| {
        let fits = *dim == 1 || *stride == expected;
        expected *= *dim as u64;
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Element;

    fn view(offset: u64, dims: &[usize], strides: &[u64]) -> TensorRef {
        TensorRef {
            storage: StorageRef { key: "0".into(), element: Element::U8, count: 12 },
            offset,
            dims: dims.to_vec(),
            strides: strides.to_vec(),
            at: 0,
        }
    }

    #[test]
    fn views_are_gathered_in_row_major_order() {
        let storage: Vec<u8> = (0..12).collect();
        let gathered = |offset, dims: &[usize], strides: &[u64]| {
            gather(&storage, &view(offset, dims, strides)).unwrap()
        };
        assert_eq!(gathered(2, &[2, 3], &[3, 1]), [2, 3, 4, 5, 6, 7]);
        assert_eq!(gathered(0, &[3, 2], &[1, 3]), [0, 3, 1, 4, 2, 5]);
        assert_eq!(gathered(1, &[2, 2, 2], &[0, 4, 2]), [1, 3, 5, 7, 1, 3, 5, 7]);
        assert_eq!(gathered(11, &[], &[]), [11]);
        assert_eq!(gathered(5, &[1, 1], &[99, 77]), [5]);
        assert!(gathered(0, &[4, 0], &[1, 1]).is_empty());
    }

    #[test]
    fn a_storage_shorter_than_its_reference_is_an_error() {
        assert!(gather(&[0; 4], &view(0, &[5], &[1])).is_err());
        assert!(gather(&[0; 4], &view(0, &[2, 2], &[4, 2])).is_err());
    }
}
