//! This module reads CIFAR-10's Python format: pickles of a dictionary with `data` (numbers from 0 to 255, planes red,
//! green, blue) and `labels`.
//!
//! The published files hold a numpy array `[N, 3072]` and a list. Other tools write other protocols, keys of bytes,
//! labels as numpy numbers or arrays, and images as `[N, 3, 32, 32]` or `[N, 32, 32, 3]`; these are read, too.

use std::borrow::Cow;
use std::path::Path;

use autogan_files::pickle::{Array, Id, Pickle};
use autogan_files::strided::gather;
use autogan_files::{Class, Fault, Kind, kind};

use super::{CLASSES, IMAGE_LEN, Part, SIDE};
use crate::error::{DataError, Result};
use crate::files::read;

const ADVICE: &str =
    "the file is no CIFAR-10 batch, or is cut off; unpack cifar-10-python.tar.gz again";

/// Reads one batch file: a pickle of that form with labels from 0 to 9.
pub(super) fn read_part(path: &Path) -> Result<Part> {
    let bytes = read(path)?;
    if let Some(Kind { name, .. }) = kind(&bytes).filter(|kind| kind.class != Class::Pickle) {
        let help = "give the directory into which cifar-10-python.tar.gz was unpacked";
        return Err(DataError::content(path, "a CIFAR-10 batch, which is a pickle", name, help));
    }
    parse(&bytes).map_err(|(fault, help)| DataError::Format {
        path: path.to_path_buf(),
        fault,
        help: help.into(),
    })
}

/// A fault, and what to do about it.
type AdvisedFault = (Fault, &'static str);

fn parse(bytes: &[u8]) -> Result<Part, AdvisedFault> {
    let advised = |fault| (fault, ADVICE);
    let pickle = Pickle::parse(bytes).map_err(advised)?;
    let [data, labels] = entries(&pickle)?;
    let pixels = pixels(&pickle, data).map_err(advised)?;
    let labels = classes(&pickle, labels, pixels.len() / IMAGE_LEN).map_err(advised)?;
    Ok(Part { data: pixels.into_owned(), labels })
}

/// Pixels of all images, plane by plane.
fn pixels<'p>(pickle: &'p Pickle<'_>, data: Id) -> Result<Cow<'p, [u8]>, Fault> {
    let Array { shape, data: pixels } = pickle.array(data)?;
    match shape[..] {
        [_, IMAGE_LEN] | [_, 3, SIDE, SIDE] => Ok(pixels),
        [count, SIDE, SIDE, 3] => {
            let strides = [IMAGE_LEN, 1, 3 * SIDE, 3];
            let planes = gather(&pixels, 1, 0, &[count, 3, SIDE, SIDE], &strides);
            Ok(Cow::Owned(planes.unwrap_or_default()))
        }
        _ => {
            let found = format!("shape {shape:?}");
            Err(pickle.unlike(data, "an array of shape [N, 3072]", found))
        }
    }
}

/// One label for each of `count` images.
fn classes(pickle: &Pickle<'_>, labels: Id, count: usize) -> Result<Vec<u8>, Fault> {
    let Array { shape, data } = pickle.array(labels)?;
    if shape != [count] {
        let expected = format!("{count} labels, one for each row of data");
        let found = match shape[..] {
            [other] => format!("{other} labels"),
            _ => format!("labels of shape {shape:?}"),
        };
        return Err(pickle.unlike(labels, expected, found));
    }
    match data.iter().position(|&label| usize::from(label) >= CLASSES.len()) {
        None => Ok(data.into_owned()),
        Some(index) => {
            let at = pickle.items(labels).and_then(|items| items.get(index));
            let expected = format!("a label from 0 to 9 for image {index}");
            Err(pickle.unlike(*at.unwrap_or(&labels), expected, data[index].to_string()))
        }
    }
}

/// The values under `data` and `labels`.
fn entries(pickle: &Pickle<'_>) -> Result<[Id; 2], AdvisedFault> {
    let root = pickle.root();
    let found = pickle
        .entries(root)
        .and_then(|entries| entries.ok_or_else(|| pickle.wrong(root, "a dictionary")));
    let entries = found.map_err(|fault| (fault, ADVICE))?;
    let keys: Vec<_> = entries.iter().map(|&(key, _)| pickle.text(key)).collect();
    let entry = |wanted: &str| {
        let at = keys.iter().position(|key| key.as_deref() == Some(wanted));
        at.map(|at| entries[at].1).ok_or_else(|| {
            let keys: Vec<&str> = keys.iter().flatten().map(|key| &**key).collect();
            let help = if keys.contains(&"fine_labels") {
                "this is CIFAR-100, which is not read; give CIFAR-10's cifar-10-batches-py"
            } else {
                ADVICE
            };
            let expected = format!("a dictionary with the key {wanted:?}");
            (pickle.unlike(root, expected, format!("the keys {}", keys.join(", "))), help)
        })
    };
    Ok([entry("data")?, entry("labels")?])
}
