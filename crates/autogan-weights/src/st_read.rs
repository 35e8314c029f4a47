//! This module reads safetensors files: the header first, in its own order and checked against the file, then each
//! tensor from its place.
//!
//! Format: 8 bytes little-endian header length N, N bytes of JSON (an object of name to `dtype`, `shape`,
//! `data_offsets`, and text under `__metadata__`), then the tensors' bytes without holes.
//! <https://github.com/huggingface/safetensors#format>. The crate `safetensors` checks the same rules, but says neither
//! where a file breaks them nor keeps the order of names.

use crate::archive::Archive;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::limits;
use autogan_files::{Fault, quote};
use safetensors::tensor::TensorInfo;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::collections::{BTreeMap, HashSet};
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
    let header = parse(&json, len - 8 - count).map_err(fault)?;
    Ok((header, 8 + count))
}

/// One tensor of the file: where its bytes are, counted from the end of the header.
#[derive(Debug)]
struct Entry {
    name: String,
    element: Element,
    dims: Vec<usize>,
    begin: u64,
    bytes: usize,
}

/// A header that fits its file.
#[derive(Debug)]
struct Header {
    entries: Vec<Entry>,
    metadata: BTreeMap<String, String>,
}

/// Parses the header's JSON, which starts at byte 8, and checks it against `data_len`, the number
/// of bytes behind it.
fn parse(json: &[u8], data_len: u64) -> Result<Header, Fault> {
    let mut source = serde_json::Deserializer::from_slice(json);
    let (infos, metadata) = source
        .deserialize_map(HeaderVisitor)
        .and_then(|parts| source.end().map(|()| parts))
        .map_err(|e| {
            Fault::new(
                8 + json_offset(json, e.line(), e.column()),
                "a JSON object of tensor name to dtype, shape and data_offsets",
                e.to_string(),
            )
        })?;
    let entries = infos
        .into_iter()
        .map(|(name, info)| check_entry(name, &info))
        .collect::<Result<Vec<_>, Fault>>()?;
    check_cover(&entries, 8 + json.len() as u64, data_len)?;
    Ok(Header { entries, metadata })
}

/// Byte offset of serde_json's one-based line and column.
fn json_offset(json: &[u8], line: usize, column: usize) -> u64 {
    let before: usize =
        json.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column.saturating_sub(1)) as u64
}

fn check_entry(name: String, info: &TensorInfo) -> Result<Entry, Fault> {
    let fault = |expected: &str, found: String| {
        Fault::new(8, format!("for tensor {}, {expected}", quote(&name)), found)
    };
    let element = Element::from_safetensors(info.dtype).ok_or_else(|| {
        fault(
            "one of F64, F32, F16, BF16, I64, I32, I16, U32, U8, BOOL",
            format!("dtype {}", info.dtype),
        )
    })?;
    let (begin, end) = info.data_offsets;
    let bytes = end
        .checked_sub(begin)
        .ok_or_else(|| fault("data_offsets in rising order", format!("[{begin}, {end}]")))?;
    let needed = info.shape.iter().try_fold(element.size(), |product, d| product.checked_mul(*d));
    if needed != Some(bytes) {
        return Err(fault(
            &format!("{} · {:?} elements between its data_offsets", info.dtype, info.shape),
            format!("{bytes} bytes"),
        ));
    }
    Ok(Entry { name, element, dims: info.shape.clone(), begin: begin as u64, bytes })
}

/// Every byte behind the header belongs to exactly one tensor.
fn check_cover(entries: &[Entry], data_at: u64, data_len: u64) -> Result<(), Fault> {
    let mut order: Vec<&Entry> = entries.iter().collect();
    order.sort_by_key(|e| (e.begin, e.bytes));
    let mut covered = 0u64;
    for entry in order {
        let name = quote(&entry.name);
        if entry.begin != covered {
            let how = if entry.begin < covered {
                "overlapping the tensor before it"
            } else {
                "leaving a hole behind the tensor before it"
            };
            return Err(Fault::new(
                data_at + covered,
                format!("the bytes of tensor {name}, at offset {covered} of the data"),
                format!("data_offsets that start at {}, {how}", entry.begin),
            ));
        }
        covered += entry.bytes as u64;
        if covered > data_len {
            return Err(Fault::new(
                data_at + data_len,
                format!("tensor {name} up to offset {covered} of the data"),
                format!("the end of the file at {data_len}: it is truncated, fetch it again"),
            ));
        }
    }
    if covered < data_len {
        return Err(Fault::new(
            data_at + covered,
            "the end of the file behind the last tensor",
            format!("{} more bytes", data_len - covered),
        ));
    }
    Ok(())
}

type HeaderParts = (Vec<(String, TensorInfo)>, BTreeMap<String, String>);

/// Keeps the order of names, which a map type would lose, and refuses a name given twice.
struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = HeaderParts;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of tensor name to dtype, shape and data_offsets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderParts, A::Error> {
        let mut infos: Vec<(String, TensorInfo)> = Vec::new();
        let mut seen = HashSet::new();
        let mut metadata = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("{} a second time", quote(&name))));
            }
            if name == "__metadata__" {
                metadata = map.next_value()?;
            } else {
                infos.push((name, map.next_value()?));
            }
        }
        Ok((infos, metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str, data_len: u64) -> String {
        let fault = parse(json.as_bytes(), data_len).unwrap_err();
        format!("{} {} | {}", fault.offset, fault.expected, fault.found)
    }

    const A: &str = r#""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;

    #[test]
    fn a_good_header_keeps_its_order_and_metadata() {
        let b = r#""0":{"dtype":"BOOL","shape":[],"data_offsets":[8,9]}"#;
        let header =
            parse(format!(r#"{{{A},"__metadata__":{{"k":"v"}},{b}}}  "#).as_bytes(), 9).unwrap();
        assert_eq!(header.entries[0].name, "a");
        assert_eq!(header.entries[1].name, "0");
        assert_eq!(header.metadata["k"], "v");
    }

    #[test]
    fn each_broken_rule_is_named() {
        let two = |b: &str| format!("{{{A},{b}}}");
        let cases = [
            (format!("{{{A}}}"), 7, "truncated"),
            (format!("{{{A}}}"), 9, "1 more bytes"),
            (two(A), 8, "\"a\" a second time"),
            (two(r#""b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}"#), 8, "overlapping"),
            (two(r#""b":{"dtype":"U8","shape":[4],"data_offsets":[9,13]}"#), 13, "hole"),
            (two(r#""b":{"dtype":"U8","shape":[4],"data_offsets":[8,13]}"#), 13, "5 bytes"),
            (two(r#""b":{"dtype":"U8","shape":[4],"data_offsets":[12,8]}"#), 12, "rising"),
            (two(r#""b":{"dtype":"I8","shape":[4],"data_offsets":[8,12]}"#), 12, "dtype I8"),
            (two(r#""b":{"dtype":"X9","shape":[4],"data_offsets":[8,12]}"#), 12, "X9"),
            (
                two(
                    r#""b":{"dtype":"U8","shape":[4294967296,4294967296,4294967296],"data_offsets":[8,8]}"#,
                ),
                8,
                "0 bytes",
            ),
            (two(r#""b":{"dtype":"U8","shape":[-1],"data_offsets":[8,8]}"#), 8, "-1"),
            ("[1]".to_string(), 0, "sequence"),
            (format!("{{{A}}} x"), 8, "trailing"),
        ];
        for (json, data_len, word) in cases {
            let text = fault(&json, data_len);
            assert!(text.contains(word), "{json}: {text}");
        }
    }

    #[test]
    fn the_offset_points_into_the_json() {
        let json = "{\n\"a\": oops}";
        let fault = parse(json.as_bytes(), 0).unwrap_err();
        let at = (fault.offset - 8) as usize;
        assert!((7..=8).contains(&at), "{at}: {}", fault.found);
    }
}
