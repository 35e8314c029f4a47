//! Arrays of bytes (`dtype('uint8')`) in pickles, as numpy writes them.

use std::borrow::Cow;

use super::{Node, Pickle, Value};
use crate::error::Result;

/// A numpy array of `uint8`, rows first (C order).
#[derive(Debug)]
pub(crate) struct Array<'a> {
    pub shape: Vec<usize>,
    pub data: Cow<'a, [u8]>,
}

/// Where the parts of an array are.
struct Parts {
    shape: Node,
    dtype: Node,
    bytes: Node,
    /// Whether the bytes are column by column.
    fortran: bool,
}

const WANTED: &str = "a numpy array of uint8";

impl Pickle {
    /// Reads the node as an array of `uint8` with one or two dimensions.
    ///
    /// # Errors
    /// When it is no numpy array, has another type or more dimensions, or its bytes do not fit
    /// its shape.
    pub(crate) fn array(&self, node: Node) -> Result<Array<'_>> {
        let parts = self.parts(node)?;
        self.check_dtype(parts.dtype)?;
        let shape = self.shape(parts.shape)?;
        let data = self
            .bytes_of(parts.bytes)
            .ok_or_else(|| self.wrong(parts.bytes, "the bytes of a numpy array"))?;
        let count = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
        if count != Some(data.len()) {
            let expected = format!("bytes for an array of {shape:?}");
            let found = format!("{} bytes", data.len());
            return Err(self.unlike(parts.bytes, expected, found));
        }
        let data = match shape[..] {
            [rows, columns] if parts.fortran => Cow::Owned(transposed(&data, rows, columns)),
            _ => data,
        };
        Ok(Array { shape, data })
    }

    /// Finds the parts in either of the two calls that numpy writes: `_reconstruct` with a
    /// state (protocols up to 4), or `_frombuffer` (protocol 5).
    fn parts(&self, node: Node) -> Result<Parts> {
        let Value::Call { callee, arguments, state } = self.value(node) else {
            return Err(self.wrong(node, WANTED));
        };
        let Value::Global(name) = self.value(*callee) else {
            return Err(self.wrong(node, WANTED));
        };
        match (name.as_str(), state) {
            (
                "numpy.core.multiarray._reconstruct" | "numpy._core.multiarray._reconstruct",
                Some(state),
            ) => {
                // (version, shape, dtype, is it in Fortran order, bytes)
                let [_, shape, dtype, fortran, bytes] = self.tuple(*state)?;
                let fortran = *self.value(fortran) == Value::Bool(true);
                Ok(Parts { shape, dtype, bytes, fortran })
            }
            ("numpy.core.numeric._frombuffer" | "numpy._core.numeric._frombuffer", _) => {
                // (bytes, dtype, shape, order)
                let [bytes, dtype, shape, order] = self.tuple(*arguments)?;
                let fortran = self.raw(order) == Some(b"F");
                Ok(Parts { shape, dtype, bytes, fortran })
            }
            _ => Err(self.wrong(node, WANTED)),
        }
    }

    /// The items of a tuple of N.
    fn tuple<const N: usize>(&self, node: Node) -> Result<[Node; N]> {
        let items = match self.value(node) {
            Value::Tuple(items) => <[Node; N]>::try_from(items.as_slice()).ok(),
            _ => None,
        };
        items.ok_or_else(|| self.wrong(node, format!("the {N} parts of a numpy array")))
    }

    fn shape(&self, node: Node) -> Result<Vec<usize>> {
        let lengths = self.integers(node)?;
        let wanted = "one or two lengths, none negative";
        if !(1..=2).contains(&lengths.len()) {
            return Err(self.unlike(node, wanted, format!("{} of them", lengths.len())));
        }
        let length = |&(length, _): &(i64, u64)| {
            usize::try_from(length).map_err(|_| self.unlike(node, wanted, length.to_string()))
        };
        lengths.iter().map(length).collect()
    }

    fn check_dtype(&self, node: Node) -> Result<()> {
        let wanted = "numpy's dtype u1";
        let Value::Call { callee, arguments, .. } = self.value(node) else {
            return Err(self.wrong(node, wanted));
        };
        let named = *self.value(*callee) == Value::Global("numpy.dtype".into());
        let first = match self.value(*arguments) {
            Value::Tuple(items) => items.first().and_then(|&item| self.raw(item)),
            _ => None,
        };
        match first {
            Some(b"u1" | b"|u1") if named => Ok(()),
            Some(other) if named => {
                let found = format!("dtype {}", String::from_utf8_lossy(other));
                Err(self.unlike(node, wanted, found))
            }
            _ => Err(self.wrong(node, wanted)),
        }
    }
}

/// `[rows, columns]` stored column by column, to row by row.
fn transposed(data: &[u8], rows: usize, columns: usize) -> Vec<u8> {
    let mut out = vec![0; data.len()];
    for (column, values) in data.chunks(rows.max(1)).enumerate() {
        for (row, &value) in values.iter().enumerate() {
            out[row * columns + column] = value;
        }
    }
    out
}
