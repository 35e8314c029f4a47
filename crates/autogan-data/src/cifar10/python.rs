//! CIFAR-10's Python format, as torchvision leaves it on disk: pickles of a dictionary with
//! `data` (uint8 `[N, 3072]`, planes red, green, blue) and `labels` (a list of integers).

use std::path::Path;

use super::{CLASSES, IMAGE_LEN, Part};
use crate::error::{DataError, Result};
use crate::files::read;
use crate::pickle::{Node, Pickle};

/// Reads one batch file.
///
/// # Errors
/// When the file is no pickle of that form, is cut off, or has a label outside 0 to 9.
pub(super) fn read_part(path: &Path) -> Result<Part> {
    let pickle = Pickle::parse(path, read(path)?)?;
    let data = entry(&pickle, path, "data")?;
    let labels = entry(&pickle, path, "labels")?;
    let array = pickle.array(data)?;
    let count = match array.shape[..] {
        [count, IMAGE_LEN] => count,
        _ => {
            let found = format!("shape {:?}", array.shape);
            return Err(pickle.unlike(data, "an array of shape [N, 3072]", found));
        }
    };
    let integers = pickle.integers(labels)?;
    if integers.len() != count {
        let expected = format!("{count} labels, one for each row of data");
        return Err(pickle.unlike(labels, expected, format!("{} labels", integers.len())));
    }
    let mut bytes = Vec::with_capacity(count);
    for (index, &(label, offset)) in integers.iter().enumerate() {
        match u8::try_from(label) {
            Ok(label) if usize::from(label) < CLASSES.len() => bytes.push(label),
            _ => {
                return Err(DataError::format(
                    path,
                    offset,
                    format!("a label from 0 to 9 for image {index}"),
                    label.to_string(),
                    "the file is no CIFAR-10 batch",
                ));
            }
        }
    }
    Ok(Part { data: array.data.into_owned(), labels: bytes })
}

fn entry(pickle: &Pickle, path: &Path, key: &str) -> Result<Node> {
    let root = pickle.root();
    pickle.get(root, key)?.ok_or_else(|| {
        let keys = pickle.keys(root);
        let help = if keys.iter().any(|k| k == "fine_labels") {
            "this is CIFAR-100, which is not read; give CIFAR-10's cifar-10-batches-py"
        } else {
            "the file is no CIFAR-10 batch; unpack cifar-10-python.tar.gz again"
        };
        DataError::format(
            path,
            pickle.offset(root),
            format!("a dictionary with the key {key:?}"),
            format!("the keys {}", keys.join(", ")),
            help,
        )
    })
}
