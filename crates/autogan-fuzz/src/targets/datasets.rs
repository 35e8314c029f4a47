//! Files of datasets, read from a folder as `data.dir` names it.

use std::path::PathBuf;

use autogan_data::{LoadOptions, Split, load};
use autogan_hub::Hub;

use crate::scratch;

/// Loads the test split of a dataset from `dir`; what is loaded has as many pixels as it says.
fn loaded(name: &str, dir: PathBuf) -> bool {
    let options =
        LoadOptions { dir: Some(dir), hub: Hub::from_env(true), ..LoadOptions::new(Split::Test) };
    let Ok(images) = load(name, &options) else { return false };
    assert_eq!(images.data().len(), images.len() * 3 * images.side() * images.side());
    assert!(!images.is_empty());
    true
}

/// CIFAR-10's binary format.
pub(super) fn cifar10_binary(bytes: &[u8]) -> bool {
    loaded("cifar10", scratch::file("test_batch.bin", bytes))
}

/// CIFAR-10's Python format, a pickle.
pub(super) fn cifar10_python(bytes: &[u8]) -> bool {
    loaded("cifar10", scratch::file("test_batch", bytes))
}

/// STL-10's binary format: two bytes tell how many bytes of the rest are labels; the others are images.
pub(super) fn stl10(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return false };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (labels, images) = rest.split_at(length);
    let dir = scratch::empty_folder("stl10");
    std::fs::write(dir.join("test_y.bin"), labels).unwrap();
    std::fs::write(dir.join("test_X.bin"), images).unwrap();
    loaded("stl10", dir)
}
