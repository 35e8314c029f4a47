//! A [`Layout`] writes a safetensors file: equal content gives equal bytes.
//!
//! Format: <https://github.com/huggingface/safetensors#format>. The serialiser of the crate
//! `safetensors` takes metadata in a hash map, whose order differs from run to run, so the header
//! is written here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

use safetensors::Dtype;
use serde::Serialize;

use crate::error::{Error, Result};

/// The name under which the format keeps its metadata among the tensors.
const METADATA: &str = "__metadata__";

/// Data starts on a multiple of 8, so that a reader may map the file and use it in place.
const ALIGN: usize = 8;

/// What the header says of one tensor.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its name, used once in a file.
    pub name: &'a str,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Sizes of its dimensions; empty for a scalar.
    pub shape: &'a [usize],
}

/// The header of a file and the order of its data.
#[derive(Debug)]
pub struct Layout {
    header: String,
    order: Vec<usize>,
}

impl Layout {
    /// Lays a file out. The header names the tensors in the order of `entries`. The data of larger
    /// elements lie first, so that every tensor is aligned, otherwise in the order of `entries`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is used twice or that the format reserves, and for a
    /// tensor that is too large or ends inside a byte.
    pub fn new(metadata: &BTreeMap<String, String>, entries: &[Entry<'_>]) -> Result<Layout> {
        let mut names = HashSet::new();
        for entry in entries {
            if entry.name == METADATA {
                return Err(Error::invalid("tensor name", "another name", METADATA));
            }
            if !names.insert(entry.name) {
                let found = format!("{:?} twice", entry.name);
                return Err(Error::invalid("tensors of a file", "each name once", found));
            }
        }
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by_key(|&index| Reverse(entries[index].dtype.bitsize()));
        let mut ranges = vec![(0usize, 0usize); entries.len()];
        let mut end = 0usize;
        for &index in &order {
            let begin = end;
            let Entry { name, dtype, shape } = entries[index];
            let bits = shape.iter().try_fold(dtype.bitsize(), |bits, &size| bits.checked_mul(size));
            let whole = bits.filter(|bits| bits.is_multiple_of(8));
            end = whole.and_then(|bits| begin.checked_add(bits / 8)).ok_or_else(|| {
                let found = format!("{dtype} of shape {shape:?} in {name:?}");
                let expected = "whole bytes, fewer than memory can hold";
                Error::invalid("tensor of a file", expected, found)
            })?;
            ranges[index] = (begin, end);
        }
        let mut fields = Vec::with_capacity(entries.len() + 1);
        if !metadata.is_empty() {
            fields.push(format!("\"{METADATA}\":{}", json(metadata)?));
        }
        for (entry, (begin, end)) in entries.iter().zip(ranges) {
            fields.push(format!(
                "{}:{{\"dtype\":{},\"shape\":{},\"data_offsets\":[{begin},{end}]}}",
                json(entry.name)?,
                json(&entry.dtype)?,
                json(entry.shape)?,
            ));
        }
        let mut header = format!("{{{}}}", fields.join(","));
        let padding = header.len().next_multiple_of(ALIGN) - header.len();
        header.push_str(&" ".repeat(padding));
        Ok(Layout { header, order })
    }

    /// Writes the header, then calls `put` with the index of each entry in the order of the data;
    /// `put` writes that tensor's elements, row-major and little-endian.
    ///
    /// # Errors
    /// The error of `out` or of `put`.
    pub fn write(
        &self,
        mut out: &mut dyn Write,
        mut put: impl FnMut(usize, &mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        out.write_all(&(self.header.len() as u64).to_le_bytes())?;
        out.write_all(self.header.as_bytes())?;
        self.order.iter().try_for_each(|&index| put(index, &mut out))
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::invalid("header of a file", "text that JSON can hold", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: [Entry<'static>; 3] = [
        Entry { name: "byte \"b\"", dtype: Dtype::U8, shape: &[3] },
        Entry { name: "wide", dtype: Dtype::F64, shape: &[] },
        Entry { name: "none", dtype: Dtype::U8, shape: &[0, 4] },
    ];

    fn file(metadata: &[(&str, &str)]) -> Vec<u8> {
        let metadata = metadata.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        let mut out = Vec::new();
        let data: [&[u8]; 3] = [&[1, 2, 3], &[9; 8], &[]];
        let layout = Layout::new(&metadata, &ENTRIES).unwrap();
        layout.write(&mut out, |index, out| out.write_all(data[index])).unwrap();
        out
    }

    #[test]
    fn the_bytes_are_these() {
        let header = "{\"__metadata__\":{\"a\":\"ü\\n\",\"b\":\"2\"},\
                      \"byte \\\"b\\\"\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]},\
                      \"wide\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},\
                      \"none\":{\"dtype\":\"U8\",\"shape\":[0,4],\"data_offsets\":[11,11]}}";
        let bytes = file(&[("b", "2"), ("a", "ü\n")]);
        let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (found, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        assert_eq!(std::str::from_utf8(found).unwrap().trim_end_matches(' '), header);
        assert!(found.len().is_multiple_of(8) && found.len() < header.len() + 8);
        assert_eq!(data, [9, 9, 9, 9, 9, 9, 9, 9, 1, 2, 3]);
    }

    #[test]
    fn the_crate_safetensors_reads_it() {
        let bytes = file(&[]);
        let peer = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(peer.len(), 3);
        assert_eq!(peer.tensor("byte \"b\"").unwrap().data(), [1, 2, 3]);
        let wide = peer.tensor("wide").unwrap();
        assert_eq!(wide.data(), [9; 8]);
        assert_eq!(wide.data().as_ptr() as usize % 8, bytes.as_ptr() as usize % 8);
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        let refused = |entries: &[Entry<'_>], says: &str| {
            let error = Layout::new(&BTreeMap::new(), entries).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        refused(&[ENTRIES[1], ENTRIES[1]], "\"wide\" twice");
        refused(&[Entry { name: METADATA, ..ENTRIES[0] }], "another name");
        refused(&[Entry { shape: &[usize::MAX, 2], ..ENTRIES[0] }], "fewer than memory");
    }
}
