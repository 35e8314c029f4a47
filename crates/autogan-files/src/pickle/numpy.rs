//! This module reads arrays and numbers of numpy in pickles, in each of the ways in which numpy writes them.

use std::borrow::Cow;

use super::{Id, MAX_BYTES, MAX_DIMS, MAX_VALUES, Pickle, Value};
use crate::Fault;
use crate::strided::{gather, row_major};

/// Deepest nesting of lists that stand for an array.
const DEPTH: usize = 4;

/// Numbers from 0 to 255 in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array<'p> {
    /// Sizes of the dimensions; empty for a single number.
    pub shape: Vec<usize>,
    /// The numbers.
    pub data: Cow<'p, [u8]>,
}

/// A number of any type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
}

/// The type of numpy's numbers.
#[derive(Debug, Clone, Copy)]
struct Dtype {
    /// `b`, `u`, `i` or `f`.
    kind: u8,
    /// Bytes of a number, at most 8.
    size: usize,
    big_endian: bool,
}

impl Dtype {
    /// The number in `bytes`, [`Dtype::size`] of them.
    fn read(self, bytes: &[u8]) -> Option<Number> {
        let mut wide = [0u8; 8];
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
        if self.big_endian {
            wide[..bytes.len()].reverse();
        }
        let [a, b, c, d, ..] = wide;
        // Spreads the sign over the bytes that are not there.
        let spare = 64 - 8 * bytes.len() as u32;
        Some(match (self.kind, bytes.len()) {
            (b'b', 1) => Number::Bool(a != 0),
            (b'u', _) => Number::Int(u64::from_le_bytes(wide).try_into().ok()?),
            (b'i', 1..) => Number::Int(i64::from_le_bytes(wide) << spare >> spare),
            (b'f', 4) => Number::Float(f32::from_le_bytes([a, b, c, d]).into()),
            (b'f', 8) => Number::Float(f64::from_le_bytes(wide)),
            _ => return None,
        })
    }
}

/// Where the parts of an array are.
struct Parts {
    dtype: Id,
    bytes: Id,
    /// Sizes of the dimensions as they lie in the bytes, and their places in the array.
    stored: Vec<usize>,
    axes: Vec<usize>,
}

const WANTED: &str = "a numpy array, or lists, of integers";

impl Pickle<'_> {
    /// A number: Python's, or numpy's `scalar(dtype, bytes)`.
    #[must_use]
    pub fn number(&self, id: Id) -> Option<Number> {
        match *self.value(id) {
            Value::Bool(value) => return Some(Number::Bool(value)),
            Value::Int(value) => return Some(Number::Int(value)),
            Value::Float(value) => return Some(Number::Float(value)),
            _ => {}
        }
        let called = self.called(id)?;
        match *called.arguments {
            [dtype, bytes] if called.is("numpy._core.multiarray", &["scalar"]) => {
                let dtype = self.dtype(dtype).ok()?;
                let bytes = self.bytes_within(bytes, dtype.size)?;
                (bytes.len() == dtype.size).then(|| dtype.read(&bytes))?
            }
            _ => None,
        }
    }

    /// Numbers from 0 to 255: a numpy array of an integer type, a list (of lists, arrays or
    /// numbers), or bytes.
    ///
    /// # Errors
    /// When it is none of these, a number is outside of the range, the parts of a list differ in
    /// shape, or the bytes of an array do not fit its shape.
    pub fn array(&self, id: Id) -> Result<Array<'_>, Fault> {
        if let Some(array) = self.whole(id)? {
            return Ok(array);
        }
        let mut out = Vec::new();
        let mut visited = 0;
        let shape = self.nested(id, 0, &mut visited, &mut out)?;
        Ok(Array { shape, data: Cow::Owned(out) })
    }

    /// Bytes or a numpy array; nothing for lists and numbers.
    fn whole(&self, id: Id) -> Result<Option<Array<'_>>, Fault> {
        if let Some(data) = self.bytes(id) {
            return Ok(Some(Array { shape: vec![data.len()], data }));
        }
        let Some(parts) = self.parts(id)? else { return Ok(None) };
        let dtype = self.dtype(parts.dtype)?;
        if dtype.kind == b'f' {
            let found = format!("dtype f{}", dtype.size);
            return Err(self.unlike(parts.dtype, "numpy's dtype u1, or other integers", found));
        }
        let bytes = self
            .bytes(parts.bytes)
            .ok_or_else(|| self.wrong(parts.bytes, "the bytes of a numpy array"))?;
        let shape: Vec<usize> = parts.axes.iter().map(|&axis| parts.stored[axis]).collect();
        let needed = shape.iter().try_fold(dtype.size, |product, &dim| product.checked_mul(dim));
        if needed != Some(bytes.len()) {
            let expected = format!("bytes for an array of {shape:?}");
            let found = format!("{} bytes", bytes.len());
            return Err(self.unlike(parts.bytes, expected, found));
        }
        let mut data = bytes;
        if !parts.axes.is_sorted() {
            let strides = row_major(&parts.stored);
            let strides: Vec<usize> = parts.axes.iter().map(|&axis| strides[axis]).collect();
            let moved = gather(&data, dtype.size, 0, &shape, &strides);
            data = Cow::Owned(moved.ok_or_else(|| self.wrong(id, WANTED))?);
        }
        if (dtype.kind, dtype.size) != (b'u', 1) {
            let narrow = |bytes: &[u8]| self.narrow(dtype.read(bytes), parts.bytes);
            data = data.chunks_exact(dtype.size).map(narrow).collect::<Result<_, _>>()?;
        }
        Ok(Some(Array { shape, data }))
    }

    /// Appends the numbers of a list, an array or a number to `out`, and returns the shape.
    fn nested(
        &self,
        id: Id,
        depth: usize,
        visited: &mut usize,
        out: &mut Vec<u8>,
    ) -> Result<Vec<usize>, Fault> {
        *visited += 1;
        if *visited > MAX_VALUES || out.len() as u64 > MAX_BYTES {
            let expected = format!("at most {MAX_VALUES} numbers in lists, {MAX_BYTES} in arrays");
            return Err(self.unlike(id, expected, "more"));
        }
        if let Some(number) = self.number(id) {
            out.push(self.narrow(Some(number), id)?);
            return Ok(Vec::new());
        }
        if let Some(array) = self.whole(id)? {
            out.extend_from_slice(&array.data);
            return Ok(array.shape);
        }
        let items = self.items(id).filter(|_| depth < DEPTH);
        let items = items.ok_or_else(|| self.wrong(id, WANTED))?;
        let mut inner: Option<Vec<usize>> = None;
        for &item in items {
            let shape = self.nested(item, depth + 1, visited, out)?;
            let first = inner.get_or_insert_with(|| shape.clone());
            if *first != shape {
                let expected = format!("parts of one shape, {first:?}");
                return Err(self.unlike(item, expected, format!("shape {shape:?}")));
            }
        }
        Ok([vec![items.len()], inner.unwrap_or_default()].concat())
    }

    fn narrow(&self, number: Option<Number>, id: Id) -> Result<u8, Fault> {
        let wanted = "integers from 0 to 255";
        match number {
            Some(Number::Bool(value)) => Ok(value.into()),
            Some(Number::Int(value)) => {
                value.try_into().map_err(|_| self.unlike(id, wanted, value.to_string()))
            }
            Some(Number::Float(value)) => {
                Err(self.unlike(id, wanted, format!("the float {value:?}")))
            }
            None => Err(self.unlike(id, wanted, "a larger one")),
        }
    }

    /// Finds the parts in either of the two calls that numpy writes: `_reconstruct` with a state
    /// (protocols up to 4, and what is no plain block of memory), or `_frombuffer` (protocol 5).
    fn parts(&self, id: Id) -> Result<Option<Parts>, Fault> {
        let Some(called) = self.called(id) else { return Ok(None) };
        let wrong = |id| self.wrong(id, "the parts of a numpy array");
        if called.is("numpy._core.multiarray", &["_reconstruct"]) {
            // (version, shape, dtype, is it in Fortran order, bytes); old numpy left the version out.
            let state = called.state.ok_or_else(|| wrong(id))?;
            let (Value::Tuple(parts), at) = (self.value(state), state) else {
                return Err(wrong(state));
            };
            let &[.., shape, dtype, fortran, bytes] = &parts[..] else { return Err(wrong(at)) };
            let fortran = matches!(self.number(fortran), Some(Number::Bool(true) | Number::Int(1)));
            let (stored, axes) = laid_out(self.lengths(shape)?, fortran);
            return Ok(Some(Parts { dtype, bytes, stored, axes }));
        }
        if !called.is("numpy._core.numeric", &["_frombuffer"]) {
            return Ok(None);
        }
        // (bytes, dtype, shape, order, and for the order K the axes)
        let &[bytes, dtype, shape, order, ref rest @ ..] = called.arguments else {
            return Err(wrong(id));
        };
        let lengths = self.lengths(shape)?;
        let order = self.text(order).unwrap_or_default();
        let (stored, axes) = match (&*order, rest) {
            ("K", [axes]) if !matches!(self.value(*axes), Value::None) => {
                let axes = self.lengths(*axes)?;
                let mut sorted = axes.clone();
                sorted.sort_unstable();
                if !sorted.into_iter().eq(0..lengths.len()) {
                    return Err(self.unlike(id, "each axis once", format!("{axes:?}")));
                }
                (lengths, axes)
            }
            (order, _) => laid_out(lengths, order == "F"),
        };
        Ok(Some(Parts { dtype, bytes, stored, axes }))
    }

    fn lengths(&self, id: Id) -> Result<Vec<usize>, Fault> {
        let wanted = "the dimensions of an array, none negative";
        let items = self.items(id).filter(|items| items.len() <= MAX_DIMS);
        let length = |&item: &Id| match self.number(item) {
            Some(Number::Int(length)) => {
                usize::try_from(length).map_err(|_| self.wrong(item, wanted))
            }
            _ => Err(self.wrong(item, wanted)),
        };
        items.ok_or_else(|| self.wrong(id, wanted))?.iter().map(length).collect()
    }

    fn dtype(&self, id: Id) -> Result<Dtype, Fault> {
        let wanted = "numpy's dtype of integers or floats";
        let called = self.called(id).filter(|called| called.is("numpy", &["dtype"]));
        let called = called.ok_or_else(|| self.wrong(id, wanted))?;
        let code = called.arguments.first().and_then(|&code| self.text(code)).unwrap_or_default();
        let plain = code.trim_start_matches(['<', '>', '|', '=']);
        let order = called.state.and_then(|state| self.items(state)?.get(1).copied());
        let order = order.and_then(|order| self.text(order)).unwrap_or_default();
        let (kind, size) = match plain {
            "b1" | "u1" | "u2" | "u4" | "u8" | "i1" | "i2" | "i4" | "i8" | "f4" | "f8" => {
                (plain.as_bytes()[0], usize::from(plain.as_bytes()[1] - b'0'))
            }
            _ => return Err(self.unlike(id, wanted, format!("dtype {}", crate::quote(&code)))),
        };
        Ok(Dtype { kind, size, big_endian: order == ">" || code.starts_with('>') })
    }
}

/// Sizes as they lie in memory, and the axes' places; the first axis runs fastest in Fortran order.
fn laid_out(mut shape: Vec<usize>, fortran: bool) -> (Vec<usize>, Vec<usize>) {
    let axes = 0..shape.len();
    if !fortran {
        return (shape, axes.collect());
    }
    shape.reverse();
    (shape, axes.rev().collect())
}
