//! This module reads CIFAR-10's binary format: records of one label byte and 3,072 pixel bytes, planes in the order
//! red, green, blue (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::path::Path;

use super::{IMAGE_LEN, Part};
use crate::error::{DataError, Result};
use crate::files::{name, read};

/// Bytes of one record.
const RECORD: usize = 1 + IMAGE_LEN;

/// Records in each of the files as published.
const USUAL_COUNT: usize = 10_000;

/// Reads one `.bin` file, which must hold whole records, at least one, with labels up to 9.
pub(super) fn read_part(path: &Path) -> Result<Part> {
    let bytes = read(path)?;
    let whole = bytes.len() / RECORD;
    let rest = bytes.len() % RECORD;
    if rest != 0 || whole == 0 {
        return Err(DataError::format(
            path,
            (whole * RECORD) as u64,
            format!("a record of {RECORD} bytes (a label and 3*32*32 pixels)"),
            format!("the end of the file after {rest} of them"),
            "the file is cut off or no CIFAR-10 batch; unpack cifar-10-binary.tar.gz again",
        ));
    }
    let mut part =
        Part { data: Vec::with_capacity(whole * IMAGE_LEN), labels: Vec::with_capacity(whole) };
    for (index, record) in bytes.chunks_exact(RECORD).enumerate() {
        let (label, pixels) = (record[0], &record[1..]);
        if usize::from(label) >= super::CLASSES.len() {
            return Err(DataError::format(
                path,
                (index * RECORD) as u64,
                format!("a label from 0 to 9 at the start of record {index}"),
                label.to_string(),
                "the file is no CIFAR-10 batch in the binary format (CIFAR-100 is not read)",
            ));
        }
        part.labels.push(label);
        part.data.extend_from_slice(pixels);
    }
    // A file of another name may hold any selection.
    let published = ["data_batch", "test_batch"].iter().any(|stem| name(path).starts_with(stem));
    if published && whole != USUAL_COUNT {
        tracing::warn!(
            "{}: {whole} records where the published files have {USUAL_COUNT}",
            path.display()
        );
    }
    Ok(part)
}
