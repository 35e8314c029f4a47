//! This module reads NumPy's array format `.npy` (NEP 1), versions 1 to 3, and writes version 1: never a pickle.

use autogan_files::strided::{gather, row_major};

use super::input_error;
use crate::Result;

/// An array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub shape: Vec<usize>,
    pub values: Values,
}

/// Numbers in C order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    U8(Vec<u8>),
    F64(Vec<f64>),
}

const MAGIC: &[u8] = b"\x93NUMPY";

/// What an array is, without its values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    /// NumPy's name of the type, such as `<f8`.
    pub descr: String,
    pub shape: Vec<usize>,
    fortran: bool,
    /// Where the values begin.
    start: usize,
}

impl std::fmt::Display for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.descr.trim_start_matches(['|', '<', '=']), self.shape)
    }
}

/// The error of an array; `name` names it.
fn bad(name: &str, expected: &str, found: String) -> crate::Error {
    input_error(name, expected, found, "write it with numpy.save or numpy.savez")
}

/// Reads what an array is; `name` names it in errors.
pub(super) fn header(name: &str, bytes: &[u8]) -> Result<Header> {
    let bad = |expected: &str, found: String| bad(name, expected, found);
    if bytes.len() < 10 || !bytes.starts_with(MAGIC) {
        return Err(bad("an array in NumPy's npy format", format!("{} other bytes", bytes.len())));
    }
    let (length, start): (usize, usize) = match bytes[6] {
        1 => (usize::from(u16::from_le_bytes([bytes[8], bytes[9]])), 10),
        2 | 3 if bytes.len() >= 12 => {
            (u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize, 12)
        }
        version => return Err(bad("npy version 1, 2 or 3", format!("version {version}"))),
    };
    let header = bytes
        .get(start..start.saturating_add(length))
        .ok_or_else(|| bad("a whole header", format!("{} bytes", bytes.len())))?;
    let header = String::from_utf8_lossy(header);
    let field = |key: &str| field(&header, key);
    let (Some(descr), Some(order), Some(shape)) =
        (field("descr"), field("fortran_order"), field("shape").and_then(dims))
    else {
        return Err(bad("a header with descr, fortran_order and shape", header.into_owned()));
    };
    let (descr, fortran) = (descr.to_owned(), order == "True");
    Ok(Header { descr, shape, fortran, start: start + length })
}

/// Reads an array; `name` names it in errors.
pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Array> {
    let Header { descr, shape, fortran, start } = header(name, bytes)?;
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let data = &bytes[start..];
    let read = |data: &[u8]| {
        values(&descr, data)
            .ok_or_else(|| bad(name, "numbers of type u1, f4 or f8", format!("type {descr}")))
    };
    let mut values = read(data)?;
    let found = match &values {
        Values::U8(v) => v.len(),
        Values::F64(v) => v.len(),
    };
    if count != Some(found) {
        let expected = format!("the values of shape {shape:?}");
        return Err(bad(name, &expected, format!("{found} values")));
    }
    if fortran {
        // Fortran order: the first axis runs fastest.
        let size = data.len() / found.max(1);
        let mut strides = row_major(&shape.iter().rev().copied().collect::<Vec<_>>());
        strides.reverse();
        values = read(&gather(data, size, 0, &shape, &strides).unwrap_or_default())?;
    }
    Ok(Array { shape, values })
}

/// The text of a key of the header's dictionary, without quotes.
fn field<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let rest = header.split_once(&format!("'{key}':"))?.1.trim_start();
    if let Some(quoted) = rest.strip_prefix('\'') {
        return quoted.split_once('\'').map(|(text, _)| text);
    }
    if rest.starts_with('(') {
        return rest.split_once(')').map(|(text, _)| &text[1..]);
    }
    rest.split([',', '}']).next().map(str::trim)
}

/// The dimensions of a tuple's text.
fn dims(text: &str) -> Option<Vec<usize>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok()).collect()
}

/// Little- or big-endian numbers; none for another type or a length that is no multiple.
fn values(descr: &str, data: &[u8]) -> Option<Values> {
    let (order, kind) = descr.split_at_checked(1)?;
    let big = match order {
        "|" | "<" | "=" => false,
        ">" => true,
        _ => return None,
    };
    match kind {
        "u1" => Some(Values::U8(data.to_vec())),
        "f4" => Some(Values::F64(words::<4>(data, |b| {
            f64::from(if big { f32::from_be_bytes(b) } else { f32::from_le_bytes(b) })
        })?)),
        "f8" => Some(Values::F64(words::<8>(data, |b| {
            if big { f64::from_be_bytes(b) } else { f64::from_le_bytes(b) }
        })?)),
        _ => None,
    }
}

fn words<const N: usize>(data: &[u8], convert: impl Fn([u8; N]) -> f64) -> Option<Vec<f64>> {
    let (chunks, rest) = data.as_chunks::<N>();
    rest.is_empty().then(|| chunks.iter().map(|&chunk| convert(chunk)).collect())
}

/// The bytes of an array of `f64`, in C order.
pub(super) fn f64_bytes(shape: &[usize], values: &[f64]) -> Vec<u8> {
    let mut out = written_header("<f8", shape);
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    out
}

/// The bytes of a one-dimensional array of `u8`.
pub(super) fn u8_bytes(values: &[u8]) -> Vec<u8> {
    let mut out = written_header("|u1", &[values.len()]);
    out.extend_from_slice(values);
    out
}

/// A version 1 header, padded so that the data starts at a multiple of 64.
fn written_header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let dims = match shape {
        [one] => format!("{one},"),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    // Magic, version and length take 10 bytes, the line feed one.
    let width = (11 + text.len()).next_multiple_of(64) - 11;
    let text = format!("{text:width$}\n");
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_arrays_are_read_back() {
        let bytes = f64_bytes(&[2, 3], &[1., 2., 3., 4., 5., 6.5]);
        assert_eq!(bytes.len() % 64, 48);
        let array = parse("a", &bytes).unwrap();
        assert_eq!(array.shape, [2, 3]);
        assert_eq!(array.values, Values::F64(vec![1., 2., 3., 4., 5., 6.5]));
        let array = parse("b", &u8_bytes(b"text")).unwrap();
        assert_eq!((array.shape, array.values), (vec![4], Values::U8(b"text".to_vec())));
        assert!(String::from_utf8_lossy(&bytes).contains("'shape': (2, 3), }"));
        assert!(String::from_utf8_lossy(&u8_bytes(b"text")).contains("'shape': (4,), }"));
    }

    fn array(header: &str, data: &[u8]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([2, 0]);
        out.extend((header.len() as u32).to_le_bytes());
        out.extend(header.bytes());
        out.extend(data);
        out
    }

    #[test]
    fn fortran_order_and_big_endian() {
        let header = "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3)}";
        let data: Vec<u8> =
            [1f32, 4., 2., 5., 3., 6.].iter().flat_map(|v| v.to_be_bytes()).collect();
        let found = parse("a", &array(header, &data)).unwrap();
        assert_eq!(found.values, Values::F64(vec![1., 2., 3., 4., 5., 6.]));
    }

    #[test]
    fn foreign_arrays_are_refused() {
        let object = "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}";
        let error = parse("mu", &array(object, &[0; 8])).unwrap_err().to_string();
        assert!(error.contains("mu") && error.contains("|O"), "{error}");
        let short = "{'descr': '<f8', 'fortran_order': False, 'shape': (4,)}";
        let error = parse("mu", &array(short, &[0; 16])).unwrap_err().to_string();
        assert!(error.contains("[4]") && error.contains("2 values"), "{error}");
        let huge = "{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999, 9999999999)}";
        assert!(parse("mu", &array(huge, &[])).is_err());
        assert!(parse("mu", b"text").is_err());
        assert!(parse("mu", &array("{}", &[])).is_err());
    }
}
